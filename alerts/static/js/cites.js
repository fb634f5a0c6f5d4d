// Claims point to evidence, and evidence to the exact field of the exact event: what is pointed at is lit in both places,
// what is chosen is brought into view, and Escape goes back to where one was reading.
// Handed: `data-cite` numbers, `data-evidence` lines, `data-ref` links with `data-event` and `data-field`. Hands on: nothing.
import { $, $$, isPlain, make } from "./dom.js";
import { onEscape } from "./keys.js";
import { showTab } from "./tabs.js";

const LIT = "lit";
const EDGE = 8;
const WAIT_MS = 4000;
let pinned = null; // the citation or reference that was chosen
let cameFrom = null; // where the keyboard was when it was

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const pointerOf = (event) => event.target.closest?.("[data-cite], [data-ref]");
const scopeOf = (element) => element.closest("article.alert") ?? document;
const lineOf = (number, scope) => $(`[data-evidence="${CSS.escape(number)}"]`, scope);
function fieldOf({ event, field }, scope) {
  return $$(`.leaf[data-event="${CSS.escape(event)}"]`, scope).find((leaf) => leaf.dataset.field === field && !leaf.id.startsWith("t-"));
}

// What a pointer is about: a citation its line and that line's fields, a reference its field.
function targetsOf(pointer) {
  const scope = scopeOf(pointer);
  if (!pointer.dataset.cite) return [fieldOf(pointer.dataset, scope)].filter(Boolean);
  const line = lineOf(pointer.dataset.cite, scope);
  if (!line) return [];
  return [line, ...$$("[data-ref]", line).map((ref) => fieldOf(ref.dataset, scope)).filter(Boolean)];
}
function light(pointer) {
  const wanted = new Set(pointer?.isConnected ? targetsOf(pointer) : []);
  for (const lit of $$(`.${LIT}`)) if (!wanted.has(lit)) lit.classList.remove(LIT);
  for (const target of wanted) target.classList.add(LIT);
  for (const target of wanted) if (!target.contains(pointer)) scrollWithin(target, pointer);
}
// Only the list's own box moves; the page stays where it is read.
function scrollWithin(target, pointer) {
  const box = target.closest("[data-scroller]");
  if (!box || box.contains(pointer)) return;
  const [outer, inner] = [box.getBoundingClientRect(), target.getBoundingClientRect()];
  const by = inner.top < outer.top ? inner.top - outer.top : Math.max(inner.bottom - outer.bottom, 0);
  if (by) box.scrollBy({ top: by, behavior: calm() ? "auto" : "smooth" });
}

// What a citation says, beside it, so that nobody has to leave the sentence to read it.
let peek = null;
function closePeek() {
  peek?.remove();
  peek = null;
}
function openPeek(cite) {
  closePeek();
  const line = cite.dataset.cite ? lineOf(cite.dataset.cite, scopeOf(cite)) : null;
  if (!line || line.contains(cite)) return;
  peek = make("div", { className: "peek", id: "peek" },
    make("i", { textContent: `${cite.dataset.cite} ${$(".origin", line)?.textContent ?? ""}` }),
    make("code", { textContent: $("code", line)?.textContent ?? "" }));
  peek.setAttribute("role", "tooltip");
  document.body.append(peek);
  const [at, own] = [cite.getBoundingClientRect(), peek.getBoundingClientRect()];
  const below = at.bottom + 6;
  peek.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - own.width - EDGE))}px`;
  peek.style.top = `${below + own.height + EDGE <= innerHeight ? below : Math.max(EDGE, at.top - own.height - 6)}px`;
  cite.setAttribute("aria-describedby", "peek");
}

function reveal(target, { focus = true } = {}) {
  for (let inside = target.closest("details"); inside; inside = inside.parentElement?.closest("details")) inside.open = true;
  const tab = target.closest("[data-tab]");
  if (tab) showTab(tab);
  if (focus) target.focus({ preventScroll: true });
  for (let box = target.parentElement; box && box !== document.body; box = box.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(box).overflowY)) bringInto(box, target);
  }
}
// As far as needed and no further; what stands above in the box (the verdict bar) covers nothing.
function bringInto(box, target) {
  const [outer, inner] = [box.getBoundingClientRect(), target.getBoundingClientRect()];
  const bar = $(".alert-bar", box);
  const top = bar && getComputedStyle(bar).position === "sticky" ? Math.max(outer.top, outer.top + bar.offsetHeight + 32) : outer.top;
  if (inner.top >= top && inner.bottom <= outer.bottom) return;
  const by = inner.top - (top + Math.max(outer.bottom - top - inner.height, 0) / 3);
  box.scrollBy({ top: by, behavior: calm() || box.matches("[data-scroller]") ? "auto" : "smooth" });
}
// The record of an event further down is asked for when something in it is wanted.
function whenLoaded(reference) {
  const scope = scopeOf(reference);
  const row = $(`[data-event-row="${CSS.escape(reference.dataset.event)}"]`, scope);
  if (!row) return Promise.resolve(null);
  row.open = true;
  const part = $("[data-lazy]", row); // it would wait until it is seen
  if (part) window.htmx.trigger(part, "retry");
  return new Promise((resolve) => {
    const until = Date.now() + WAIT_MS;
    const look = () => {
      const found = fieldOf(reference.dataset, scope);
      if (found || Date.now() > until || !row.isConnected) resolve(found ?? null);
      else setTimeout(look, 50);
    };
    look();
  });
}

async function follow(pointer) {
  const scope = scopeOf(pointer);
  const held = pointer.dataset.cite ? lineOf(pointer.dataset.cite, scope) : fieldOf(pointer.dataset, scope) ?? await whenLoaded(pointer);
  if (!held) { location.assign(pointer.href); return; }
  pinned = pointer;
  cameFrom = pointer;
  closePeek();
  light(pointer);
  reveal(held);
}

document.addEventListener("click", (event) => {
  if (!isPlain(event)) return;
  const back = event.target.closest?.("[data-claim]");
  const pointer = pointerOf(event);
  if (back) {
    const claim = document.getElementById(back.hash.slice(1));
    if (!claim) return;
    event.preventDefault();
    reveal(claim);
  } else if (pointer?.closest("article.alert")) {
    event.preventDefault();
    follow(pointer);
  }
});
for (const name of ["pointerover", "focusin"]) {
  document.addEventListener(name, (event) => {
    const pointer = pointerOf(event);
    if (!pointer) return;
    light(pointer);
    openPeek(pointer);
  });
}
for (const name of ["pointerout", "focusout"]) {
  document.addEventListener(name, (event) => {
    const pointer = pointerOf(event);
    if (!pointer) return;
    pointer.removeAttribute("aria-describedby");
    closePeek();
    light(pinned);
  });
}
document.addEventListener("scroll", closePeek, true);
document.addEventListener("htmx:afterSwap", () => {
  if (pinned && !pinned.isConnected) pinned = cameFrom = null;
  closePeek();
});
onEscape(5, () => {
  if (!peek) return false;
  closePeek();
  return true;
});
// Back to the sentence that was read.
onEscape(20, () => {
  const from = cameFrom;
  if (!from?.isConnected || !document.activeElement?.closest("[data-evidence], .leaf")) return false;
  pinned = cameFrom = null;
  light(null);
  reveal(from);
  return true;
});
