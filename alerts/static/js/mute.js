// Muting from the queue: the form for a rule takes the panel's place; when the rule is made the list goes on without what
// it hides. Handed: the alert that is shown. Hands on: the rule's form, and the notice with its undo.
import { $, getFragment, isPlain, token } from "./dom.js";
import { failed, lost, toast } from "./frame.js";
import { remember } from "./decisions.js";
import { article, current, goTo, loadPanel, neighbour, openId, reloadList, rowOf, rows, selected, workspace } from "./panel.js";
import { tell, undo } from "./triage.js";

function put(html) {
  const body = $("#panel-body");
  window.htmx.swap(body, html, { swapStyle: "innerHTML", settleDelay: 0 }, { contextElement: body, eventInfo: { target: body } });
  $("h2", body)?.focus({ preventScroll: true });
}
export async function mute() {
  const target = current();
  if (workspace() && target && !target.article) await openId(target.id);
  const address = $("[data-mute]", article() ?? $("article.alert") ?? document)?.getAttribute("href");
  if (!address) { toast("It cannot be muted from here.", { tone: "good" }); return; }
  if (!workspace()) { location.assign(address); return; }
  const response = await getFragment(address).catch(() => null);
  if (!response) lost({ again: true });
  else if (response.ok) put(await response.text());
  else failed(response.status);
}
async function send(form) {
  const row = selected();
  const next = row ? neighbour(row)?.dataset.id : null;
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST", headers: { "HX-Request": "true", "X-CSRFToken": token() }, body: new URLSearchParams(new FormData(form)),
    });
  } catch {
    lost({ again: true });
    return;
  }
  if (response.status === 422) { put(await response.text()); return; }
  if (!response.ok) { failed(response.status); return; }
  remember({ id: "", row: null, leaves: false, newest: true });
  const answer = new DOMParser().parseFromString(await response.text(), "text/html");
  toast($(".notices .notice", answer)?.textContent.trim() ?? "Muted.", { tone: "good", label: "Undo", key: "u", run: () => undo() });
  await reloadList();
  const on = row && rowOf(row.dataset.id) ? rowOf(row.dataset.id) : (rowOf(next) ?? rows()[0]);
  if (on) { goTo(on); loadPanel(on.dataset.id, { fresh: true }); }
  tell({ ids: [], gone: true });
}
document.addEventListener("submit", (event) => {
  if (!workspace() || !event.target.matches("#panel-body .mute-form")) return;
  event.preventDefault();
  send(event.target);
});
document.addEventListener("click", (event) => {
  const back = event.target.closest?.("#panel-body .mute-form a.button");
  if (!back || !isPlain(event) || !workspace()) return;
  event.preventDefault();
  loadPanel(new URL(back.href).searchParams.get("alert"), { fresh: true });
});
