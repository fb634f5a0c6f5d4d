// The queue's list and the panel beside it: which row is selected, which alert is shown, and the address that says so.
// Handed: rows made by the server. Hands on: moves and loads. The list stays where it is; focus is never lost.
import { $, $$, getFragment, isPlain, wide } from "./dom.js";
import { failed, lost, refreshAges, refreshTimes } from "./frame.js";

const FRESH_MS = 15000;
const AHEAD_MS = 300;
const SETTLE_MS = 90;

export const workspace = () => $("#workspace");
export const hasPanel = () => Boolean($("#workspace.has-panel"));
export const rowOf = (id) => document.getElementById(`row-${id}`);
// Rows a person can see: not in a collapsed group, not on their way out.
export const rows = () => $$("#rows .row[data-id]").filter((row) => !row.dataset.leaving && row.getClientRects().length);
export const selected = () => $("#rows .row[aria-current]:not([data-leaving])");
export const article = () => $("#panel-body article[data-alert]");

// The alert that keys are about, as the person sees it: the selected row, else the alert that is open. What the person
// saw of it is the newer of row and panel.
export function current() {
  const row = selected();
  const shown = article();
  const id = row?.dataset.id ?? shown?.dataset.alert;
  const same = shown?.dataset.alert === id;
  if (!id || (same && shown.dataset.settled)) return null;
  const revision = Math.max(Number(row?.dataset.revision) || 0, same ? Number(shown.dataset.revision) : 0);
  return { id, revision, row: row ?? rowOf(id), article: same ? shown : null };
}

function addressOf(id) {
  const address = new URL(location.href);
  address.hash = "";
  if (id) address.searchParams.set("alert", id); else address.searchParams.delete("alert");
  return address.pathname + address.search;
}
export function select(row) {
  $("#rows .row[aria-current]")?.removeAttribute("aria-current");
  if (!row) return;
  row.setAttribute("aria-current", "true");
  row.classList.remove("is-new");
  row.scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new CustomEvent("winnow:selected", { detail: { id: row.dataset.id } }));
}
export function focusRow(row = selected()) {
  $("a.row-link", row ?? $("#rows") ?? document)?.focus({ preventScroll: true });
}

// Panels asked for ahead of time, so that the next alert is there when the one before it is decided.
const ahead = new Map();
export const forget = (id) => ahead.delete(String(id));
function takeAhead(id) {
  const held = ahead.get(String(id));
  ahead.delete(String(id));
  return held && Date.now() - held.at < FRESH_MS ? held.html : null;
}
let aheadTimer = 0;
function prefetchNext() {
  clearTimeout(aheadTimer);
  aheadTimer = setTimeout(async () => {
    const next = neighbour(selected());
    if (!next || ahead.has(next.dataset.id)) return;
    const response = await getFragment(`/alerts/${next.dataset.id}/panel/`).catch(() => null);
    if (!response?.ok) return; // it is asked for again when it is opened, and says then what is wrong
    ahead.clear();
    ahead.set(next.dataset.id, { html: await response.text(), at: Date.now() });
  }, AHEAD_MS);
}
// The row that comes after one, or, at the end, before it.
export function neighbour(row) {
  const all = rows();
  const at = all.indexOf(row);
  return at < 0 ? null : all[at + 1] ?? all[at - 1] ?? null;
}

let loading = null;
function behind(on) {
  const panel = $("#panel");
  panel?.classList.toggle("is-behind", on);
  if (on) panel?.setAttribute("aria-busy", "true"); else panel?.removeAttribute("aria-busy");
}
// A note that is being written survives whatever makes the panel of its alert anew.
let written = null;
function holdNote() {
  const note = $(".verdicts .note", article() ?? undefined);
  written = note?.value && !article()?.dataset.settled ? { id: note.id, text: note.value } : null;
}
function giveNote() {
  const note = written && document.getElementById(written.id);
  if (note && !note.value) note.value = written.text;
  written = null;
}
document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target?.id === "panel-body") holdNote(); });
document.addEventListener("htmx:afterSwap", (event) => { if (event.detail?.target?.id === "panel-body") giveNote(); });

function show(html, keepScroll) {
  const body = $("#panel-body");
  holdNote();
  window.htmx.swap(body, html, { swapStyle: "innerHTML", settleDelay: 0 }, { contextElement: body, eventInfo: { target: body } });
  behind(false);
  if (!keepScroll) $("#panel").scrollTop = 0;
  refreshAges();
  refreshTimes(body);
  prefetchNext();
}
export async function loadPanel(id, { fresh = false } = {}) {
  loading?.abort();
  clearTimeout(moving);
  const same = article()?.dataset.alert === String(id);
  const held = fresh ? null : takeAhead(id);
  if (held) { show(held, same); return; }
  loading = new AbortController();
  const { signal } = loading;
  behind(true);
  try {
    const response = await getFragment(`/alerts/${id}/panel/${fresh && rowOf(id) ? "?row=1" : ""}`, signal);
    const html = await response.text();
    if (signal.aborted) return;
    if (response.ok) show(html, same); else failed(response.status);
  } catch (error) {
    if (error.name !== "AbortError") lost({ again: true });
  }
  if (!signal.aborted) behind(false);
}

function remember(id, push) {
  if (push) history.pushState({ alert: id }, "", addressOf(id));
  else history.replaceState({ alert: id }, "", addressOf(id));
}
export function open(row, { push = true } = {}) {
  select(row);
  remember(row.dataset.id, push && !hasPanel());
  workspace().classList.add("has-panel");
  return loadPanel(row.dataset.id);
}
export function openId(id, { push = true } = {}) {
  const row = rowOf(id);
  if (row) return open(row, { push });
  select(null);
  remember(id, push);
  workspace().classList.add("has-panel");
  return loadPanel(id);
}
export function closePanel(push = true) {
  loading?.abort();
  clearTimeout(moving);
  behind(false);
  workspace().classList.remove("has-panel");
  if (push) history.pushState({ alert: "" }, "", addressOf(""));
  focusRow();
}

let moving = 0;
// Select another row. What is in the panel follows a moment later, and is dimmed until it has.
export function goTo(row) {
  if (!row) return;
  select(row);
  if (!hasPanel()) { focusRow(row); return; }
  if (wide()) focusRow(row); else $("#panel")?.focus({ preventScroll: true }); // the sheet covers the list
  remember(row.dataset.id, false);
  clearTimeout(moving);
  loading?.abort();
  if (ahead.has(row.dataset.id)) { loadPanel(row.dataset.id); return; }
  behind(true);
  moving = setTimeout(() => loadPanel(row.dataset.id), SETTLE_MS);
}
export function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(selected());
  goTo(all[Math.min(Math.max(at + step, 0), all.length - 1)]);
}

// The whole list as it is now, in its place; what is read beside it stays.
let listing = 0;
// Whether the panel is about an alert: it is shown, and no other one is selected.
export const isShown = (id) => article()?.dataset.alert === String(id) && [undefined, String(id)].includes(selected()?.dataset.id);
export async function reloadList() {
  listing += 1;
  const turn = listing;
  const html = await getList();
  const list = $(".list");
  const fresh = html && $(".list", new DOMParser().parseFromString(html, "text/html"));
  if (!list || !fresh || turn !== listing) return; // one that was asked for later is on its way
  const id = selected()?.dataset.id ?? article()?.dataset.alert;
  const scroll = $("#rows")?.scrollTop ?? 0;
  const held = list.contains(document.activeElement);
  list.replaceWith(document.adoptNode(fresh));
  window.htmx.process(fresh);
  $("#rows .row[aria-current]")?.removeAttribute("aria-current");
  if (id && hasPanel()) rowOf(id)?.setAttribute("aria-current", "true");
  if ($("#rows")) $("#rows").scrollTop = scroll;
  refreshAges();
  refreshTimes(fresh);
  if (held || document.activeElement === document.body) focusRow();
  document.dispatchEvent(new CustomEvent("winnow:list"));
}
async function getList() {
  try {
    const response = await fetch(addressOf(""), { credentials: "same-origin" });
    if (response.ok) return await response.text();
    failed(response.status);
  } catch {
    lost({ again: true });
  }
  return "";
}

addEventListener("popstate", () => {
  if (!workspace()) return;
  const id = new URL(location.href).searchParams.get("alert");
  if (!id) { closePanel(false); return; }
  select(rowOf(id));
  workspace().classList.add("has-panel");
  loadPanel(id);
});
document.addEventListener("click", (event) => {
  if (!isPlain(event) || !workspace()) return;
  const link = event.target.closest("a.row-link");
  if (link?.closest(".row[data-id]")) {
    event.preventDefault();
    open(link.closest(".row"));
  } else if (event.target.closest("[data-close]")) {
    event.preventDefault();
    closePanel();
  }
});
// After a swap the keyboard must be somewhere sensible.
document.addEventListener("htmx:afterSwap", (event) => {
  const adrift = [document.body, $("#panel")].includes(document.activeElement);
  if (event.detail?.target?.id !== "panel-body" || !adrift) return;
  const row = selected();
  if (row && wide()) focusRow(row);
  else $("h2", $("#panel-body"))?.focus({ preventScroll: true });
});
if (article()) prefetchNext();
