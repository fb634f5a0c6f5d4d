// Keys: the one register of them. What is registered here is what works, what the key sheet lists and what the palette offers.
// Handed: a key, its help text, what it does and when. Never with a modifier (the palette's Ctrl/Cmd-K excepted), never
// while typing, never one of the browser's own. A sequence such as "g q" waits a moment for its second key.
import { $, $$, isTyping, make } from "./dom.js";

const WAIT_MS = 1500;
const register = [];
const escapes = [];

// `repeat`: a held key counts again and again. `show`: how the sheet writes it. `palette`: what the palette calls it.
export function key(keys, help, run, { group = "Anywhere", when = () => true, repeat = false, show = keys, palette = "" } = {}) {
  register.push({ keys, help, run, group, when, repeat, show, palette });
}
// What Escape closes, the topmost first: the first that returns true was it.
export function onEscape(order, close) {
  escapes.push({ order, close });
  escapes.sort((one, other) => one.order - other.order);
}
export const commands = () => register.filter((entry) => entry.palette && entry.when());

let prefix = "";
let prefixTimer = 0;
function hold(first) {
  clearTimeout(prefixTimer);
  prefix = first;
  document.documentElement.toggleAttribute("data-key-prefix", Boolean(first));
  if (first) prefixTimer = setTimeout(() => hold(""), WAIT_MS);
}
const find = (keys, repeated) => register.find((entry) => entry.keys === keys && (entry.repeat || !repeated) && entry.when());
const starts = (first) => register.some((entry) => entry.keys.startsWith(`${first} `) && entry.when());

const plainName = (name) => (name.length === 1 ? name.toLowerCase() : name);

function isPalette(event) {
  return (event.ctrlKey !== event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
}
function onKey(event) {
  if (event.isComposing || event.defaultPrevented) return;
  if (isPalette(event)) { run(event, find("mod+k", event.repeat)); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { hold(""); escape(event); return; }
  if (isTyping(event.target) || $("dialog[open]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary, input")) return; // it does what it stands on
  const name = event.shiftKey ? event.key : plainName(event.key); // Caps Lock is no Shift
  const sequence = prefix ? find(`${prefix} ${name}`, event.repeat) : null;
  hold("");
  if (sequence) { run(event, sequence); return; }
  const entry = find(name, event.repeat);
  if (entry) run(event, entry);
  else if (!event.repeat && starts(name)) hold(name);
}
function run(event, entry) {
  if (!entry) return;
  event.preventDefault();
  entry.run(event);
}
function escape(event) {
  if ($("dialog[open]")) return; // a dialog closes itself
  for (const { close } of escapes) {
    if (close(event)) { event.preventDefault(); return; }
  }
}
document.addEventListener("keydown", onKey);

// The sheet: every key that is registered, by group, wherever `data-key-sheet` asks for it.
function sheet() {
  const parts = [];
  for (const group of new Set(register.map((entry) => entry.group))) {
    const list = make("dl", { className: "keys" });
    for (const entry of register.filter((one) => one.group === group && one.help)) {
      const names = make("dt");
      for (const name of entry.show.split(" ")) names.append(name === "–" ? "–" : make("kbd", { textContent: name }), " ");
      list.append(names, make("dd", { textContent: entry.help }));
    }
    parts.push(make("section", {}, make("h3", { textContent: group }), list));
  }
  return parts;
}
export function fillSheets() {
  for (const place of $$("[data-key-sheet]")) place.replaceChildren(...sheet());
}
export function openSheet() {
  const dialog = $("#key-sheet");
  if (!dialog || dialog.open) return;
  fillSheets();
  dialog.showModal();
}
