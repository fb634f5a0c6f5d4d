// The menu of a field's value, on every page that shows one: the server writes it, this puts it beside the value.
// Handed: links with data-value that lead to the menu's page. Hands on: the same menu in place; without this module, or
// with a modifier key, the link leads to the page. Text is the server's, escaped there; nothing here reads it as HTML twice.
import { $, $$, getFragment, isPlain, make } from "./dom.js";
import { failed, lost } from "./frame.js";
import { onEscape } from "./keys.js";

const EDGE = 8;
let menu = null;
let owner = null;
let asked = null;

const entries = () => $$("a, button", menu);

export function closeValueMenu({ focus = true } = {}) {
  asked?.abort();
  asked = null;
  if (!menu) return false;
  const held = menu.contains(document.activeElement);
  menu.remove();
  menu = null;
  owner?.removeAttribute("aria-expanded");
  if (focus && held) owner?.focus({ preventScroll: true });
  owner = null;
  return true;
}

// Below the value, above it where there is no room, never outside the window.
function place() {
  const at = owner.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + 4;
  const top = below + height + EDGE <= innerHeight ? below : Math.max(EDGE, at.top - height - 4);
  menu.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`;
  menu.style.top = `${Math.min(top, Math.max(EDGE, innerHeight - height - EDGE))}px`;
}

function show(link, html) {
  closeValueMenu({ focus: false });
  const parsed = new DOMParser().parseFromString(html, "text/html");
  menu = make("div", { className: "value-menu", tabIndex: -1 }, ...parsed.body.childNodes);
  menu.setAttribute("role", "dialog");
  menu.setAttribute("aria-label", "What to do with this value");
  owner = link;
  owner.setAttribute("aria-expanded", "true");
  (link.closest("dialog") ?? document.body).append(menu);
  place();
  (entries()[0] ?? menu).focus({ preventScroll: true });
}

async function open(link) {
  if (owner === link) { closeValueMenu(); return; }
  asked?.abort();
  const request = new AbortController();
  asked = request;
  try {
    const response = await getFragment(link.href, request.signal);
    if (asked !== request) return;
    asked = null;
    if (response.ok) show(link, await response.text());
    else failed(response.status);
  } catch (error) {
    if (error.name !== "AbortError") lost();
  }
}

function move(event) {
  const list = entries();
  const place = list.indexOf(document.activeElement);
  const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: list.length - 1 }[event.key];
  if (next === undefined || !list.length) return;
  event.preventDefault();
  event.stopPropagation();
  list[(next + list.length) % list.length].focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-value]");
  if (link && isPlain(event)) {
    event.preventDefault();
    open(link);
  } else if (menu && !menu.contains(event.target)) closeValueMenu({ focus: false });
});
document.addEventListener("keydown", (event) => {
  if (!menu?.contains(document.activeElement)) return;
  if (event.key === "Tab") closeValueMenu(); // focus goes back to the value, and on from there
  else if (event.key.length > 1) move(event);
  else event.stopPropagation(); // letters are the page's keys, not the menu's
}, true);
addEventListener("resize", () => closeValueMenu());
document.addEventListener("scroll", (event) => { if (menu && !menu.contains(event.target)) closeValueMenu(); }, true);
document.addEventListener("htmx:beforeSwap", () => { if (owner && !owner.isConnected) closeValueMenu({ focus: false }); });
onEscape(0, () => closeValueMenu());
for (const link of $$("a[data-value]")) link.setAttribute("aria-haspopup", "dialog");
