// Colours of charts: the tokens as the browser resolves them here and now; canvas does not know custom properties.
// Handed: a figure. Hands on: name -> colour, each also as name-soft, and the font.
import { make } from "./dom.js";

export function palette(figure) {
  const probe = make("span", { hidden: true });
  figure.append(probe);
  const found = {};
  const read = (name, value) => {
    probe.style.color = value;
    found[name] = getComputedStyle(probe).color;
  };
  for (const name of ["accent", "bar", "muted", "faint", "critical", "high", "medium", "low", "info", "text", "line",
    "line-strong", "surface"]) {
    read(name, `var(--${name})`);
    read(`${name}-soft`, `color-mix(in oklab, var(--${name}) 20%, transparent)`);
  }
  found.sans = getComputedStyle(figure).fontFamily;
  probe.remove();
  return found;
}
