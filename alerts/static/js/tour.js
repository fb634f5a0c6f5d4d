// The first steps: shown once, left with one click or Escape, never in the way of a key or a click.
// Handed: the steps, each with the place it is about. Hands on: that it was seen.
import { $, $$, postJson } from "./dom.js";
import { onEscape } from "./keys.js";

const card = $("#tour");
const steps = $$("[data-tour-at]", card ?? document);
let at = -1;

const placeOf = (step) => $(step.dataset.tourAt);
function leave() {
  for (const lit of $$(".tour-lit")) lit.classList.remove("tour-lit");
  card.remove();
}
function done() {
  if (!card?.isConnected) return false;
  leave();
  postJson("/settings/tour/", { seen: "1" }).catch(() => {}); // it comes once more, which does no harm
  return true;
}
function show(nth) {
  const next = steps.findIndex((step, index) => index >= nth && placeOf(step));
  if (next < 0) { done(); return; }
  for (const lit of $$(".tour-lit")) lit.classList.remove("tour-lit");
  for (const step of steps) step.hidden = true;
  at = next;
  steps[at].hidden = false;
  placeOf(steps[at]).classList.add("tour-lit");
  $("[data-tour-count]", card).textContent = `${at + 1} of ${steps.length}`;
  $("[data-tour-next]", card).textContent = at === steps.length - 1 ? "Done" : "Next";
}
// On the first day, with nothing to show, the empty queue says what to do; who asks for the steps gets them all the same.
if (card && ("tourWanted" in card.dataset || $("#rows .row"))) {
  card.hidden = false;
  show(0);
  $("[data-tour-next]", card).addEventListener("click", () => show(at + 1));
  $("[data-tour-form]", card).addEventListener("submit", (event) => { event.preventDefault(); done(); });
  onEscape(60, done);
}
