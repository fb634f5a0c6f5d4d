// Sections of which one is shown at a time; without this module all of them are, one below the other.
// Handed: `[data-tabs]` with `[data-tab="Name"]` sections. Hands on: showTab(section).
import { $, $$, make } from "./dom.js";

const KEPT = "winnow.tab";

function remembered() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // storage is closed to pages here; the first tab is as good
  }
}
function remember(name) {
  try {
    sessionStorage.setItem(KEPT, name);
  } catch {
    // it is only a convenience
  }
}
export function showTab(section) {
  const box = section.closest("[data-tabs]");
  if (!box?.dataset.ready) return;
  for (const tab of $$(":scope > .tab", box)) tab.hidden = tab !== section;
  for (const button of $$(":scope > [role=tablist] > [role=tab]", box)) {
    const chosen = button.getAttribute("aria-controls") === section.id;
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  }
}
function buildTabs(box) {
  const sections = $$(":scope > .tab", box);
  if (box.dataset.ready || sections.length < 2) return;
  box.dataset.ready = "1";
  const list = make("div", { className: "tablist segments" });
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "How to show the event");
  sections.forEach((section, index) => {
    section.id ||= `tab-${++made}-${index}`;
    section.setAttribute("role", "tabpanel");
    const button = make("button", { type: "button", textContent: section.dataset.tab, id: `${section.id}-button` });
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", section.id);
    list.append(button);
  });
  box.prepend(list);
  showTab(sections.find((section) => section.dataset.tab === remembered()) ?? sections[0]);
}
let made = 0;
export const buildAll = (root = document) => $$("[data-tabs]", root).forEach(buildTabs);

function choose(button, { focus = false } = {}) {
  const section = document.getElementById(button.getAttribute("aria-controls"));
  showTab(section);
  remember(section.dataset.tab);
  if (focus) button.focus();
}
const tabOf = (event) => event.target.closest?.("[data-tabs] > [role=tablist] > [role=tab]");
document.addEventListener("click", (event) => {
  const button = tabOf(event);
  if (button) choose(button);
});
document.addEventListener("keydown", (event) => {
  const button = tabOf(event);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!button || !step) return;
  event.preventDefault();
  const all = $$("[role=tab]", button.parentElement);
  choose(all[(all.indexOf(button) + step + all.length) % all.length], { focus: true });
});
