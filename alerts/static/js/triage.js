// Deciding in the queue: verdict, take, escalate, note, undo, by key or click, on the alert that is shown.
// Handed: rows, the panel and its forms. Hands on: requests in order. The answer is on screen at once: the row leaves, the
// next alert is selected; what the server refuses comes back, with the reason.
import { $, getFragment, token } from "./dom.js";
import { failed, hideToast, lost, toast } from "./frame.js";
import { changed, dropFromMemory, expected, remember, send, takeLast, takeNumbered } from "./decisions.js";
import {
  article, closePanel, current, forget, goTo, hasPanel, isShown, loadPanel, neighbour, openId, reloadList, rowOf, rows, select,
  selected, workspace,
} from "./panel.js";
import { markLeaving, putBack, renew, takeOut } from "./rows.js";

export const VERDICTS = {
  tp_impact: "True positive, with impact", tp_no_impact: "True positive, without impact", benign_tp: "Expected activity",
  fp_logic: "False positive (logic)", fp_data: "False positive (data)", duplicate: "Duplicate", undetermined: "Undetermined",
};
const FEW_LEFT = 8;
const LONG_MS = 20000;

export const mayDecide = () => document.body.hasAttribute("data-may-decide");
// A list of open alerts loses what is closed; one that shows closed ones too keeps it.
export const losesClosed = () => ["", "open"].includes(new URL(location.href).searchParams.get("status") ?? "");
export const tell = (detail) => document.dispatchEvent(new CustomEvent("winnow:changed", { detail }));
const noteIn = (target) => (target.article && $(".verdicts .note", target.article)?.value) || "";

// Go on to the next alert before the server has answered. Where none is in view, with the first that comes: the next of a
// group, or a list made anew.
let adrift = false;
document.addEventListener("winnow:list", () => {
  if (adrift && !selected() && rows().length) goTo(rows()[0]);
  adrift = adrift && !selected();
});
function advance(next) {
  adrift = !next;
  if (!next) return;
  goTo(next);
  const all = rows();
  const more = $("#rows > .more a");
  if (!more || more.dataset.asked || all.length - all.indexOf(next) > FEW_LEFT) return;
  more.dataset.asked = "1";
  more.click();
}
export function whenNothingIsLeft() {
  if (rows().length || $("#rows .more, #rows .group")) return;
  if (hasPanel()) closePanel();
  reloadList();
}

// Alerts that are on their way back: what the panel still shows of them is over, the server judges what comes after.
const comingBack = new Set();
function isClosed(target) {
  if (comingBack.has(target.id)) return false;
  return target.article ? !$(".verdicts", target.article) : target.row.classList.contains("is-closed");
}
export function decide(value, target = current()) {
  if (!target) return;
  if (isClosed(target)) { toast("It is decided already. Reopen it to decide again.", { tone: "good" }); return; }
  const asked = { value, note: noteIn(target) };
  const next = target.row ? neighbour(target.row) : null;
  const entry = { id: target.id, row: target.row, leaves: value !== "undetermined" && losesClosed() && Boolean(target.row) };
  start(entry, target);
  if (entry.leaves) markLeaving(target.row, VERDICTS[value]);
  advance(next);
  send({
    address: `/alerts/${target.id}/verdict/`,
    data: () => ({ ...asked, expected_revision: expected(target.id, target.revision) }),
    done: (answer, data) => applied(entry, answer, data),
    refused: (answer, status) => refused(entry, answer, status, asked),
    explains: [409, 422],
  });
}
// Take, give back, escalate, withdraw, reopen: the alert stays in the list.
export function change(name, values, { goOn = false } = {}) {
  const target = current();
  if (!target) return;
  const entry = { id: target.id, row: target.row, leaves: false };
  start(entry, target, goOn);
  if (goOn && target.row) advance(neighbour(target.row));
  send({
    address: `/alerts/${target.id}/${name}/`,
    data: () => ({ ...values, expected_revision: expected(target.id, target.revision) }),
    done: (answer, data) => applied(entry, answer, data),
    refused: (answer, status) => refused(entry, answer, status, null),
    explains: [409, 422],
  });
}
function start(entry, target, settles = true) {
  hideToast("good");
  remember(entry);
  forget(target.id);
  if (settles && target.article) target.article.dataset.settled = "1";
}
function applied(entry, answer, data) {
  entry.action = answer.action;
  changed(entry.id, Number(data.expected_revision), answer.revision);
  if (!entry.leaves) renew(rowOf(entry.id), answer.row);
  else if (!entry.back) takeOut(rowOf(entry.id) ?? entry.row); // unless it was taken back before the answer came
  toast(answer.said, { tone: "good", label: "Undo", key: "u", run: () => undo() });
  if (isShown(entry.id)) loadPanel(entry.id, { fresh: true }); // it stays in the list, or nothing came after it
  whenNothingIsLeft();
  tell({ ids: [entry.id], gone: entry.leaves });
}
function refused(entry, answer, status, asked) {
  dropFromMemory(entry);
  const shown = article()?.dataset.alert === entry.id;
  if (shown) delete article().dataset.settled;
  if (entry.row) putBack(entry.row);
  if (status !== 409 && status !== 422) return;
  renewRow(entry.id).then(() => rowOf(entry.id)?.classList.add("is-refused"));
  const title = $(".row-link", entry.row ?? document.createElement("i"))?.textContent.trim().slice(0, 60);
  const about = title ? `“${title}”: ` : "";
  toast(`${about}not saved, ${answer.message ?? "it has changed since"}.`, {
    label: "Show", stay: LONG_MS, run: () => showConflict(entry, answer, asked),
  });
  if (isShown(entry.id)) showConflict(entry, answer, asked);
}
// Both versions, as the server puts them side by side. Never by itself while another alert is read.
function showConflict(entry, answer, asked) {
  const row = rowOf(entry.id);
  select(row);
  workspace().classList.add("has-panel");
  if (!asked || answer.error !== "stale") { loadPanel(entry.id, { fresh: true }); return; }
  const values = { ...asked, expected_revision: answer.saw, embedded: "1" };
  const headers = { "X-CSRFToken": token() };
  window.htmx.ajax("POST", `/alerts/${entry.id}/verdict/`, { target: "#panel-body", swap: "innerHTML", values, headers });
}

export function take() {
  const target = current();
  const button = $(".take button[name=to]", target?.article ?? document.createElement("i"));
  if (target && (button || !target.article)) change("assign", { to: button?.value ?? "me" });
}
export function escalate() {
  const target = current();
  if (!target) return;
  if (target.article && !$('[data-act="escalate"]', target.article)) toast("It is escalated or closed already.", { tone: "good" });
  else change("escalate", { note: noteIn(target) }, { goOn: true });
}

// Undo: the newest thing this page did comes back at once, by its number; else the server knows the newest.
// A number names one action; an entry of this page knows its row's place.
export function undo(number = 0) {
  hideToast("good");
  const entry = number ? takeNumbered(number) : takeLast();
  if (entry && article()?.dataset.alert === entry.id) delete article().dataset.settled;
  if (entry) comingBack.add(entry.id);
  if (entry?.leaves) {
    entry.back = true;
    putBack(entry.row);
    goTo(entry.row);
  }
  const wanted = () => (number ? { action: number } : {});
  send({
    address: "/alerts/undo/",
    data: () => (entry && !entry.newest ? entry.action && { action: entry.action } : wanted()),
    done: (answer) => undone(entry, answer),
    refused: (_, status) => { if (status) notUndone(entry); },
  });
}
function undone(entry, answer) {
  for (const [id, [before, after]] of Object.entries(answer.revisions ?? {})) changed(id, before, after);
  toast(answer.said, { tone: answer.skipped ? "bad" : "good" });
  if (!answer.undone) { notUndone(entry); return; }
  if (!workspace()) { location.reload(); return; }
  const single = answer.undone === 1 ? String(answer.ids[0]) : "";
  forget(single);
  const shown = single && entry?.id === single && rowOf(single)
    ? refresh(single)
    : reloadList().then(() => single && openId(single, { push: false }));
  Promise.resolve(shown).finally(() => comingBack.delete(entry?.id));
  tell({ ids: (answer.ids ?? []).map(String), gone: false });
}
function notUndone(entry) {
  comingBack.delete(entry?.id);
  if (entry?.leaves) takeOut(rowOf(entry.id) ?? entry.row);
}
function refresh(id) {
  if (rowOf(id).dataset.leaving) return null; // it is decided again already
  if (hasPanel() && (isShown(id) || selected()?.dataset.id === id)) return loadPanel(id, { fresh: true });
  return renewRow(id);
}
async function renewRow(id) {
  if (!rowOf(id)) return;
  try {
    const response = await getFragment(`/alerts/${id}/panel/?row=1`);
    if (!response.ok) { failed(response.status); return; }
    const answer = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = [...answer.querySelectorAll("template")].map((one) => one.content.firstElementChild).find((one) => one?.id === `row-${id}`);
    fresh?.removeAttribute("hx-swap-oob");
    renew(rowOf(id), fresh?.outerHTML);
  } catch {
    lost({ again: true });
  }
}
