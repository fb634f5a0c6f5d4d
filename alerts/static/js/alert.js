// The alert's page and panel: citations, tabs, timeline, parts that load when they come into view, and copying.
// Handed: server-rendered HTML. Hands on: nothing. Everything here also works as plain links and sections.
import { $, $$, isPlain, make } from "./dom.js";
import { refreshAges, refreshTimes, toast } from "./frame.js";
import { openId, workspace } from "./panel.js";
import "./cites.js";
import { buildAll } from "./tabs.js";
import { problemIn } from "./timeline.js";

const FAILED = "This part could not be loaded; the rest of the page does not depend on it.";
const LOST = "The server cannot be reached; the rest of the page stays as it was.";

function ready(root = document) {
  buildAll(root);
  for (const button of $$("[data-copy-link][hidden]", root)) button.hidden = false;
}

// A part that could not be loaded says so where it would be, and offers to try again.
function fail(part, text) {
  const box = part.closest("[data-lazy], [data-timeline]");
  if (!box) return;
  if (box.matches("[data-timeline]")) { problemIn(box, text); return; }
  $(":scope > .notice", box)?.remove();
  const again = make("button", { type: "button", className: "button", textContent: "Try again" });
  const note = make(box.tagName === "LI" ? "div" : "p", { className: "notice warning" }, `${text} `, again);
  note.setAttribute("role", "alert");
  again.addEventListener("click", () => { note.remove(); window.htmx.trigger(box.matches("[hx-get]") ? box : $("[hx-get]", box), "retry"); });
  box.append(note);
}
document.addEventListener("htmx:responseError", (event) => fail(event.detail.elt, FAILED));
document.addEventListener("htmx:sendError", (event) => fail(event.detail.elt, LOST));
document.addEventListener("htmx:afterSwap", () => ready());

// Another alert opens where this one is, and the list follows.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-open-alert]");
  if (!link || !isPlain(event) || !workspace()) return;
  event.preventDefault();
  openId(link.dataset.openAlert);
});
document.addEventListener("click", async (event) => {
  if (!event.target.closest?.("[data-copy-link]")) return;
  try {
    await navigator.clipboard.writeText(location.origin + location.pathname);
    toast("Link copied.", { tone: "good" });
  } catch {
    toast("The browser does not let this page copy; the link is in its address.", { tone: "good" });
  }
});

// On paper everything is open; afterwards as it was.
let opened = [];
addEventListener("beforeprint", () => {
  opened = $$("article.alert details:not([open])").filter((one) => !one.matches(".event") && !$(".timeline", one));
  for (const one of opened) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of opened) one.open = false;
  opened = [];
});
ready();
refreshAges();
refreshTimes();
