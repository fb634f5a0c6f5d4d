// The palette, Ctrl-K or Cmd-K: go to a page, a saved view or an alert's number, act on the selected alert, or search.
// Handed: the rail's links, the registered keys, the saved views and undoable actions the server names. Hands on: a choice.
import { $, $$, getJson, make } from "./dom.js";
import { leaveFor } from "./decisions.js";
import { commands, key } from "./keys.js";
import { ageOf } from "./frame.js";
import { openId, workspace } from "./panel.js";
import { undo } from "./triage.js";

const SHOWN = 12;
let views = [];
let actionsDone = [];
let at = 0;
let back = null;

const dialog = () => $("#palette");
const field = () => $("#palette-input");
const list = () => $("#palette-list");

function pages() {
  return $$(".rail a:not(.rail-mark)").map((link) => ({
    kind: "Page", label: $("span", link)?.textContent.trim() ?? "", run: () => leaveFor(link.href),
  }));
}
function actions() {
  return commands().map((entry) => ({ kind: "Action", label: entry.palette, keys: entry.show, run: () => entry.run(new Event("palette")) }));
}
const saved = () => views.map((view) => ({ kind: "View", label: view.name, hint: view.page, run: () => leaveFor(view.url) }));
const undoable = () => actionsDone.map((one) => ({ kind: "Undo", label: one.said, hint: ageOf(Date.now() - Date.parse(one.at)), run: () => undo(one.action) }));
const linkOf = (name) => $$(".rail a").find((link) => $("span", link)?.textContent.trim() === name)?.getAttribute("href");
function searches(text) {
  const found = [{ kind: "Search", label: `Alerts: ${text}`, run: () => leaveFor(`/?q=${encodeURIComponent(text)}`) }];
  for (const [name, word] of [["Events", "Events"], ["Entities", "Entities"]]) {
    const address = linkOf(name);
    if (address) found.push({ kind: "Search", label: `${word}: ${text}`, run: () => leaveFor(`${address}?q=${encodeURIComponent(text)}`) });
  }
  return found;
}
function numbered(text) {
  const match = /^#?(\d{1,15})$/.exec(text);
  if (!match) return [];
  const go = () => (workspace() ? openId(match[1]) : leaveFor(`/alerts/${match[1]}/`));
  return [{ kind: "Alert", label: `Open alert ${match[1]}`, run: go }];
}
// Every word of the question is in the entry; what starts with it comes first.
function matches(entries, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fit = entries.filter((entry) => words.every((word) => `${entry.kind} ${entry.label}`.toLowerCase().includes(word)));
  return fit.sort((one, other) => other.label.toLowerCase().startsWith(words[0] ?? "") - one.label.toLowerCase().startsWith(words[0] ?? ""));
}
let shown = [];
function fill() {
  const text = field().value.trim();
  const known = matches([...actions(), ...pages(), ...saved(), ...undoable()], text).slice(0, SHOWN);
  shown = text ? [...numbered(text), ...known, ...searches(text)] : known;
  at = 0;
  list().replaceChildren(...shown.map(option));
  mark();
}
function option(entry, index) {
  const line = make("li", { id: `palette-${index}`, className: "option" }, make("i", { textContent: entry.kind }), make("span", { className: "clip", textContent: entry.label }));
  if (entry.hint) line.append(make("i", { textContent: entry.hint }));
  for (const name of (entry.keys ?? "").split(" ").filter(Boolean)) line.append(make("kbd", { textContent: name }));
  line.setAttribute("role", "option");
  line.addEventListener("click", () => choose(index));
  line.addEventListener("pointermove", () => { if (at !== index) { at = index; mark(); } });
  return line;
}
function mark() {
  [...list().children].forEach((line, index) => line.setAttribute("aria-selected", String(index === at)));
  if (shown.length) field().setAttribute("aria-activedescendant", `palette-${at}`); else field().removeAttribute("aria-activedescendant");
  list().children[at]?.scrollIntoView({ block: "nearest" });
}
function choose(index) {
  const entry = shown[index];
  if (!entry) return;
  dialog().close();
  entry.run();
}
function onKey(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && shown.length) {
    event.preventDefault();
    at = (at + step + shown.length) % shown.length;
    mark();
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    choose(at);
  }
}
async function readViews() {
  const address = dialog().dataset.source;
  const response = address ? await getJson(address).catch(() => null) : null;
  if (!response?.ok) return; // the palette works without them
  ({ views = [], undo: actionsDone = [] } = await response.json());
  if (dialog().open) fill();
}
export function openPalette() {
  const box = dialog();
  if (!box) return;
  if (box.open) { box.close(); return; }
  back = document.activeElement;
  field().value = "";
  fill();
  box.showModal();
  field().focus();
  readViews();
}

if (dialog()) {
  field().addEventListener("input", fill);
  field().addEventListener("keydown", onKey);
  dialog().addEventListener("close", () => { if (document.activeElement === document.body) back?.focus?.({ preventScroll: true }); });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) openPalette();
    if (event.target === dialog()) dialog().close();
  });
}
key("mod+k", "go anywhere, do anything", openPalette, { show: "Ctrl/Cmd k" });
