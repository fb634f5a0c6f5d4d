// The event list: rows that open in place, keys to walk through them, the help, and a brush that keeps the search.
// Handed: rows whose time links to the event's page. Hands on: the same page's part below the row; a modifier key opens
// the page itself. What is shown is the server's HTML, escaped there.
import { $, $$, getFragment, isPlain, make } from "./dom.js";
import { failed, lost, refreshTimes } from "./frame.js";
import { key } from "./keys.js";
import { buildAll } from "./tabs.js";

const links = () => $$("a.event-open");
const here = () => document.activeElement?.closest?.("tr.event-row") ?? document.activeElement?.closest?.("tr.event-detail")?.previousElementSibling;
const detailOf = (row) => (row.nextElementSibling?.classList.contains("event-detail") ? row.nextElementSibling : null);

function close(row) {
  detailOf(row)?.remove();
  row.classList.remove("is-open");
  $("a.event-open", row)?.setAttribute("aria-expanded", "false");
}

async function open(row) {
  const link = $("a.event-open", row);
  if (!link || row.dataset.loading) return;
  row.dataset.loading = "true";
  try {
    const response = await getFragment(link.href);
    if (!response.ok) { failed(response.status); return; }
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const cell = make("td", { colSpan: row.cells.length }, ...parsed.body.childNodes);
    row.after(make("tr", { className: "event-detail" }, cell));
    row.classList.add("is-open");
    link.setAttribute("aria-expanded", "true");
    window.htmx?.process(cell);
    refreshTimes(cell);
    buildAll(cell);
  } catch {
    lost();
  } finally {
    delete row.dataset.loading;
  }
}

const toggle = (row) => (detailOf(row) ? close(row) : open(row));

function move(step) {
  const list = links();
  const row = here();
  const at = row ? list.indexOf($("a.event-open", row)) : -1;
  const next = list[Math.min(list.length - 1, Math.max(0, at + step))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  if (at + step >= list.length - 5) $("tr.event-more a.button:not(.htmx-request)")?.click();
}

document.addEventListener("click", (event) => {
  const help = event.target.closest("[data-open-help]");
  if (help) { $("#event-help")?.showModal(); return; }
  const link = event.target.closest("a.event-open");
  if (link) {
    if (!isPlain(event)) return;
    event.preventDefault();
    toggle(link.closest("tr"));
    return;
  }
  const cell = event.target.closest("td.col-message");
  if (cell && isPlain(event) && !event.target.closest("a, button") && getSelection().isCollapsed) toggle(cell.closest("tr"));
});

const listed = () => links().length > 0;
key("j", "next event", () => move(1), { group: "Events", when: listed, repeat: true });
key("k", "previous event", () => move(-1), { group: "Events", when: listed, repeat: true });
key("o", "open or close the event", () => { const row = here(); if (row) toggle(row); }, { group: "Events", when: listed });
