// The models page: a slider beside the alert budget's form that asks for the forecast while it moves.
// Handed: the form as the server wrote it. Hands on: the same request as its button, a moment after the last move.
import { $, $$ } from "./dom.js";

const PAUSE_MS = 250;
const TOP = 1000;

// The scale is logarithmic: the step from 5 to 10 alerts a day matters more than that from 505 to 510.
const valueAt = (place) => Number((TOP ** (place / 100)).toPrecision(2));
const placeOf = (value) => Math.round((100 * Math.log(Math.min(Math.max(value, 1), TOP))) / Math.log(TOP));

function attach(box) {
  const form = box.closest("form");
  const range = $("input[type=range]", box);
  const output = $("output", box);
  const field = $(`[name="${box.dataset.slider}"]`, form);
  if (!range || !field) return;
  let timer = 0;
  const tell = (value) => {
    const text = value ? Number(value).toLocaleString("en") : "no wish yet";
    output.textContent = text;
    range.setAttribute("aria-valuetext", `${text} alerts a day`);
  };
  const show = () => { range.value = placeOf(Number(field.value) || 1); tell(field.value); };
  range.addEventListener("input", () => {
    field.value = valueAt(Number(range.value));
    tell(field.value);
    clearTimeout(timer);
    timer = setTimeout(() => form.requestSubmit(), PAUSE_MS);
  });
  field.addEventListener("input", show);
  box.hidden = false;
  show();
}

for (const box of $$("[data-slider]")) attach(box);
