// Many alerts at once: which are selected, the bar that says so, and the question before it is done.
// Handed: `input[data-select]` in rows, `input[data-select-group]` in group heads, the bar's own filter and total.
// Hands on: one request with the numbers and revisions that were seen, or with the filter and the count the server gave.
import { $, $$, getFragment } from "./dom.js";
import { failed, lost, toast } from "./frame.js";
import { key, onEscape } from "./keys.js";
import { remember, send } from "./decisions.js";
import { current, forget, hasPanel, loadPanel, article, reloadList, rows, selected } from "./panel.js";
import { tell, undo } from "./triage.js";

const MANY = 20;
const picked = new Map(); // alert -> the revision that was seen
let everything = null; // the filter and its count when all that match are meant
let last = null;

const bar = () => $("#bulk-bar");
const boxes = (from = document) => $$("#rows input[data-select]", from);
const rowOfBox = (box) => box.closest(".row[data-id]");
export const size = () => (everything ? everything.total : picked.size);
// The group whose head is the only one selected: all of its kind can be meant at once.
function kind() {
  const [id] = picked.size === 1 && !everything ? picked.keys() : [];
  return id ? (document.getElementById(`row-${id}`)?.closest(".group-head")?.closest(".group[data-query]") ?? null) : null;
}

function set(row, on) {
  const box = $("input[data-select]", row);
  if (box) box.checked = on;
  if (on) picked.set(row.dataset.id, Number(row.dataset.revision) || 0); else picked.delete(row.dataset.id);
  row.classList.toggle("is-picked", on);
}
function groupRows(box) {
  const head = box.closest("[data-group]") ?? box.closest("li, section, div");
  const named = head?.dataset.group;
  if (named === undefined) return $$(".row[data-id]", head ?? document);
  const inside = $$(".row[data-id]", head);
  return inside.length ? inside : $$("#rows .row[data-id]").filter((row) => row.dataset.group === named);
}
export function clear() {
  if (!picked.size && !everything) return false;
  everything = null;
  picked.clear();
  for (const box of $$("#rows input[data-select], #rows input[data-select-group]")) { box.checked = false; box.indeterminate = false; }
  for (const row of $$("#rows .row.is-picked")) row.classList.remove("is-picked");
  say();
  return true;
}
// What the bar says; rows that came meanwhile are not selected by themselves.
function say() {
  const place = bar();
  if (!place) return;
  const count = size();
  place.hidden = !count;
  const noun = count === 1 ? "alert" : "alerts";
  $("[data-bulk-count]", place).textContent = everything ? `All ${count.toLocaleString("en")} matching` : `${count.toLocaleString("en")} ${noun} selected`;
  $("[data-bulk-all]", place).hidden = Boolean(everything) || Number(place.dataset.total) <= count;
  const group = kind();
  const alike = $("[data-bulk-kind]", place);
  alike.hidden = !group;
  if (group) alike.textContent = `Select all ${Number(group.dataset.total).toLocaleString("en")} of its kind`;
}
function toggle(row, on = !picked.has(row.dataset.id)) {
  everything = null;
  set(row, on);
  last = row;
  say();
}
function range(row) {
  const all = rows();
  const from = all.indexOf(last?.isConnected ? last : row);
  const to = all.indexOf(row);
  for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) set(one, true);
  everything = null;
  last = row;
  say();
}

// Keys and buttons: the selection when there is one, else the alert that is shown.
export function orOne(wanted, one) {
  if (!size()) { one(); return; }
  ask(wanted);
}
const pairs = () => [...picked].map(([id, revision]) => `${id}:${revision}`).join(" ");
// Few are done at once, unless another alert than the selected ones is being read: then it is asked which are meant.
function isPlain() {
  return !everything && picked.size < MANY && (!hasPanel() || picked.has(current()?.id));
}
async function ask(wanted, always = false) {
  if (!always && isPlain()) { run({ ...wanted, alerts: pairs() }); return; }
  const query = new URLSearchParams(everything?.query ?? "");
  for (const [name, value] of Object.entries(wanted)) query.set(`bulk_${name}`, value);
  if (!everything) query.set("bulk_selected", String(picked.size));
  const response = await getFragment(`/alerts/bulk/confirm/?${query}`).catch(() => null);
  if (!response) { lost({ again: true }); return; }
  if (!response.ok) { failed(response.status); return; }
  show(await response.text());
}
function show(html) {
  const dialog = $("#bulk-dialog");
  window.htmx.swap($("[data-dialog-body]", dialog), html, { swapStyle: "innerHTML", settleDelay: 0 });
  if (!everything && $("[name=alerts]", dialog)) $("[name=alerts]", dialog).value = pairs();
  if (!dialog.open) dialog.showModal();
  ($("[data-start]", dialog) ?? $("input[type=radio], textarea", dialog))?.focus();
}
function run(values) {
  const count = size();
  bar().setAttribute("aria-busy", "true");
  const free = () => bar()?.removeAttribute("aria-busy");
  return send({
    address: "/alerts/bulk/",
    data: () => values,
    done: (answer) => { free(); finished(answer, count); },
    refused: (answer, status) => { free(); if (status === 409 || status === 422) refused(answer, values); },
    explains: [409, 422],
  });
}
function refused(answer, values) {
  const dialog = $("#bulk-dialog");
  const place = $("[data-problem]", dialog);
  if (!dialog.open || !place) { toast(`Nothing was changed: ${answer.message}`); return; }
  place.textContent = `Nothing was changed: ${answer.message}`;
  place.hidden = false;
  if (answer.count === undefined) return;
  for (const name of ["count", "up_to"]) $(`[name=${name}]`, dialog).value = answer[name];
  for (const one of $$("[data-count]", dialog)) one.textContent = answer.count.toLocaleString("en");
  values.count = answer.count;
}
function finished(answer, count) {
  $("#bulk-dialog").close();
  remember({ id: "", row: null, leaves: false, action: answer.action });
  for (const id of picked.keys()) forget(id);
  clear();
  toast(answer.said, { tone: "good", label: "Undo", key: "u", run: () => undo(), stay: count > 1 ? 20000 : 8000 });
  reloadList().then(() => {
    const shown = article();
    if (hasPanel() && shown && !selected()) loadPanel(shown.dataset.alert, { fresh: true });
  });
  tell({ ids: [], gone: true });
}

document.addEventListener("change", (event) => {
  if (event.target.matches?.("input[data-select]")) {
    toggle(rowOfBox(event.target), event.target.checked);
  } else if (event.target.matches?.("input[data-select-group]")) {
    everything = null;
    for (const row of groupRows(event.target)) set(row, event.target.checked);
    say();
  }
});
document.addEventListener("click", (event) => {
  const box = event.target.closest?.("input[data-select]");
  if (box && event.shiftKey && last) range(rowOfBox(box));
  const button = event.target.closest?.("#bulk-bar button, #bulk-bar a");
  if (!button) return;
  event.preventDefault();
  if (button.matches("[data-bulk-all]")) meanAll(bar().dataset, rows());
  else if (button.matches("[data-bulk-kind]") && kind()) meanAll(kind().dataset, $$(".row[data-id]", kind()));
  else if (button.matches("[data-bulk-clear]")) { clear(); }
  else if (button.dataset.bulkDo) { button.closest("details")?.removeAttribute("open"); ask({ do: button.dataset.bulkDo, value: button.value }, button.dataset.bulkDo === "verdict"); }
});
function meanAll({ query, total }, shown) {
  for (const row of shown) set(row, true);
  everything = { query, total: Number(total) };
  say();
}
document.addEventListener("submit", (event) => {
  if (!event.target.matches("#bulk-dialog form.bulk-form")) return;
  event.preventDefault();
  run(Object.fromEntries(new FormData(event.target, event.submitter)));
});
document.addEventListener("click", (event) => {
  const closer = event.target.closest?.("[data-dialog-close]");
  if (closer) closer.closest("dialog").close();
});
document.addEventListener("winnow:changed", (event) => {
  if (!event.detail.gone) return;
  for (const id of event.detail.ids) picked.delete(id);
  say();
});
document.addEventListener("winnow:list", () => {
  for (const row of $$("#rows .row[data-id]")) if (picked.has(row.dataset.id)) set(row, true);
  say();
});

// Registered after the keys that move, so that the sheet lists them in this order.
export function registerKeys() {
  const inList = () => Boolean(bar()) && boxes().length > 0;
  const rowOf = () => current()?.row;
  key("x", "select it", () => { if (rowOf()) toggle(rowOf()); }, { group: "Queue", when: inList });
  key("X", "select all from the last selected to here", () => { if (rowOf()) range(rowOf()); }, { group: "Queue", when: inList, show: "Shift x" });
  onEscape(40, clear);
}
