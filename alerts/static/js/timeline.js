// The strip of an alert's timeline: drag to zoom in, arrows to move, plus and minus to zoom. The links beside it do the
// same without this module.
// Handed: `[data-timeline]` with its window and address. Hands on: the server's timeline of another window, in its place.
import { $, make } from "./dom.js";

const WIDTH = 900; // of the strip, in its own units
const LEAST_PX = 6;
const SHORTEST_MS = 10000;
const KEYS = { ArrowLeft: "earlier", ArrowRight: "later", "+": "closer", "=": "closer", "-": "wider" };
let drag = null;
let wanted = null; // what had the keyboard before the swap

const shareOf = (event, box) => Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
const stamp = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

function paint() {
  const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
  drag.brush.setAttribute("x", String(from * WIDTH));
  drag.brush.setAttribute("width", String((to - from) * WIDTH));
}
function begin(event) {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || event.button !== 0 || !event.isPrimary) return;
  const share = shareOf(event, strip.getBoundingClientRect());
  drag = { strip, from: share, to: share, brush: $(".brush", strip), at: event.clientX };
  strip.setPointerCapture(event.pointerId);
}
function stretch(event) {
  if (!drag) return;
  drag.to = shareOf(event, drag.strip.getBoundingClientRect());
  paint();
}
function end(event) {
  if (!drag) return;
  const done = drag;
  const moved = Math.abs(event.clientX - done.at);
  drag.to = drag.from;
  paint();
  drag = null;
  if (event.type !== "pointerup" || moved < LEAST_PX) return;
  zoomTo(done.strip.closest("[data-timeline]"), shareOf(event, done.strip.getBoundingClientRect()), done.from);
}
function zoomTo(section, one, other) {
  const [start, stop] = [Date.parse(section.dataset.from), Date.parse(section.dataset.to)];
  const [from, to] = [Math.min(one, other), Math.max(one, other)].map((share) => start + share * (stop - start));
  const until = Math.max(to, from + SHORTEST_MS + 1000);
  const address = `${section.dataset.url}?from=${stamp(from)}&to=${stamp(until)}&embedded=${section.dataset.embedded}`;
  wanted = { id: section.id, selector: "[data-strip]" };
  window.htmx.ajax("GET", address, { source: section, target: section, swap: "outerHTML" });
}
document.addEventListener("pointerdown", begin);
document.addEventListener("pointermove", stretch);
document.addEventListener("pointerup", end);
document.addEventListener("pointercancel", end);
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.("[data-strip]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const link = KEYS[event.key] && $(`[data-zoom="${KEYS[event.key]}"]`, event.target.closest("[data-timeline]"));
  if (!link) return;
  event.preventDefault();
  event.stopPropagation();
  link.click();
  wanted = { id: event.target.closest("[data-timeline]").id, selector: "[data-strip]" };
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-zoom]");
  if (link) wanted = { id: link.closest("[data-timeline]").id, selector: `[data-zoom="${CSS.escape(link.dataset.zoom)}"]` };
});
// After a swap the keyboard is where it was.
document.addEventListener("htmx:afterSwap", () => {
  if (!wanted) return;
  const section = document.getElementById(wanted.id);
  const target = section && ($(wanted.selector, section) ?? $("[data-strip]", section));
  if (target && (document.activeElement === document.body || !document.activeElement?.isConnected)) target.focus({ preventScroll: true });
  wanted = null;
});
// What could not be loaded says so in its place.
export function problemIn(section, text) {
  $(":scope > .notice[data-lost]", section)?.remove();
  const note = make("p", { className: "notice warning", textContent: text });
  note.dataset.lost = "";
  note.setAttribute("role", "alert");
  section.append(note);
}
