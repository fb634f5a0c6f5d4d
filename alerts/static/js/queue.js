// The queue's list: groups that open, a head that follows when its alert is decided, the divider between list and panel.
// Handed: groups made by the server. Hands on: the same list; what is open stays open when the list is made anew.
import { $, $$, getFragment } from "./dom.js";
import { failed, lost, refreshAges, refreshTimes } from "./frame.js";
import { article, focusRow, hasPanel, rowOf, select, selected } from "./panel.js";

const WIDTH = "list-width";
const OPEN = "open-groups";
const MOST_OPEN = 60; // groups that are opened again with the page
const AT_ONCE = 4; // groups that are asked for side by side
const STEP = 2; // percent of the width, by key
const open = new Set(heldOpen());
const nameOf = (group) => group.dataset.query;
const insideOf = (group) => $(":scope > .nested", group);
const button = (group) => $(":scope > .alike", group);

// What is open stays so for this tab, also when the page is loaded anew.
function heldOpen() {
  try { return JSON.parse(sessionStorage.getItem(OPEN)) ?? []; } catch { return []; }
}
function holdOpen() {
  try { sessionStorage.setItem(OPEN, JSON.stringify([...open].slice(-MOST_OPEN))); } catch { /* nothing is kept: closed next time */ }
}

async function fill(group) {
  const place = insideOf(group);
  if (place.childElementCount) return true;
  button(group).setAttribute("aria-busy", "true");
  const response = await getFragment(button(group).dataset.inside).catch(() => null);
  button(group).removeAttribute("aria-busy");
  if (!response) { lost({ again: true }); return false; }
  if (!response.ok) { failed(response.status); return false; }
  window.htmx.swap(place, await response.text(), { swapStyle: "innerHTML", settleDelay: 0 });
  refreshAges();
  refreshTimes(place);
  document.dispatchEvent(new CustomEvent("winnow:list"));
  return true;
}
async function show(group, on) {
  if (on && !(await fill(group))) return;
  insideOf(group).hidden = !on;
  button(group).setAttribute("aria-expanded", String(on));
  if (on) open.add(nameOf(group)); else open.delete(nameOf(group));
  holdOpen();
  sayAll();
}
const closed = () => $$('#rows > .group:has(> .alike[aria-expanded="false"])');
function sayAll() {
  const collapse = $("[data-collapse-all]");
  const expand = $("[data-expand-all]");
  const some = Boolean($('#rows .alike[aria-expanded="true"]'));
  if (collapse) collapse.hidden = !some;
  if (expand) expand.hidden = some || !closed().length; // one takes the other's place: the list below stays where it is
}
// A few at a time, from the top: what is seen first is there first, and the server is not asked for all at once.
let expanding = false;
async function expandAll() {
  if (expanding) return;
  expanding = true;
  const groups = closed();
  for (let at = 0; at < groups.length && expanding; at += AT_ONCE) {
    const some = groups.slice(at, at + AT_ONCE);
    await Promise.all(some.map((group) => show(group, true)));
    if (some.some((group) => insideOf(group).hidden)) break; // it said why
  }
  if (!expanding) collapseOpen(); // those that were on their way
  expanding = false;
}
function collapseAll() {
  expanding = false;
  collapseOpen();
}
function collapseOpen() {
  for (const group of $$('#rows .group:has(> .alike[aria-expanded="true"])')) show(group, false);
}
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".alike");
  if (link && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
    event.preventDefault();
    show(link.closest(".group"), link.getAttribute("aria-expanded") !== "true");
  }
  if (event.target.closest?.("[data-collapse-all]")) collapseAll();
  if (event.target.closest?.("[data-expand-all]")) expandAll();
});

// A list that was made anew opens what was open.
let restoring = false;
document.addEventListener("winnow:list", restore);
async function restore() {
  if (restoring) return;
  restoring = true;
  const tried = new Set(); // opening one may bring others that were open inside it
  const next = () => $$("#rows .group").find((group) => open.has(nameOf(group)) && insideOf(group).hidden && !tried.has(group));
  for (let group = next(); group; group = next()) {
    tried.add(group);
    await show(group, true);
  }
  restoring = false;
  sayAll();
  watch();
}

// When the alert that stands for a group is decided, the next of its kind takes its place.
const due = new Set();
function headless(group) {
  return group.isConnected && !$(":scope > .group-head > .row[data-id]", group);
}
async function follow(group) {
  if (!headless(group) || due.has(group)) return;
  due.add(group);
  const query = new URLSearchParams(group.dataset.query);
  const response = await getFragment(`/queue/head/?${query}`).catch(() => null);
  due.delete(group);
  if (!response?.ok || !headless(group)) return; // the list says it when it is loaded next
  const html = await response.text();
  const focused = group.contains(document.activeElement) || document.activeElement === document.body;
  if (!html.trim()) { group.remove(); return; }
  window.htmx.swap(group, html, { swapStyle: "outerHTML", settleDelay: 0 }, { contextElement: group.parentElement });
  refreshAges();
  const shown = hasPanel() && !selected() && rowOf(article()?.dataset.alert);
  if (shown) select(shown);
  if (focused && selected()) focusRow();
  document.dispatchEvent(new CustomEvent("winnow:list"));
}
const observer = new MutationObserver((changes) => {
  for (const change of changes) {
    const group = change.target.closest?.(".group");
    if (group && change.removedNodes.length && headless(group)) setTimeout(() => follow(group), 400);
  }
});
function watch() {
  observer.disconnect();
  const list = $("#rows");
  if (list) observer.observe(list, { childList: true, subtree: true });
}
restore();

// The divider: by pointer, by arrow keys; remembered on this device.
const workspace = () => $("#workspace");
function setWidth(percent) {
  const bounded = Math.min(Math.max(percent, 30), 75);
  workspace()?.style.setProperty("--list-width", `${bounded}%`);
  const divider = $("[data-divider]");
  divider?.setAttribute("aria-valuenow", String(Math.round(bounded)));
  return bounded;
}
function remembered() {
  try { return Number(localStorage.getItem(WIDTH)) || 60; } catch { return 60; }
}
function keep(percent) {
  try { localStorage.setItem(WIDTH, String(percent)); } catch { /* a browser that keeps nothing starts at 60 % again */ }
}
let width = setWidth(remembered());
$("[data-divider]")?.addEventListener("pointerdown", (event) => {
  const divider = event.currentTarget;
  divider.setPointerCapture(event.pointerId);
  const box = workspace().getBoundingClientRect();
  const move = (at) => { width = setWidth((100 * (at.clientX - box.left)) / box.width); };
  divider.addEventListener("pointermove", move);
  divider.addEventListener("pointerup", () => { divider.removeEventListener("pointermove", move); keep(width); }, { once: true });
});
$("[data-divider]")?.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  width = setWidth(width + step);
  keep(width);
});
