// What each key does to alerts, and that a click on the panel's buttons does the same.
// Handed: the register of keys, the actions. Hands on: nothing. On an alert's own page the forms are used as they are.
import { $, isPlain } from "./dom.js";
import { closeMenus, hideToast, toast } from "./frame.js";
import { leaveFor } from "./decisions.js";
import { key, onEscape, openSheet } from "./keys.js";
import * as bulk from "./bulk.js";
import { mute } from "./mute.js";
import { article, closePanel, current, focusRow, hasPanel, move, open, openId, selected, workspace } from "./panel.js";
import { VERDICTS, change, decide, escalate, mayDecide, take, undo } from "./triage.js";

const inQueue = () => mayDecide() && Boolean(workspace());
const onPage = () => mayDecide() && !workspace() && Boolean($("article.alert"));
const acts = () => inQueue() || onPage();
const press = (selector) => $(`article.alert ${selector}`)?.click();
const either = (queue, selector) => () => (workspace() ? queue() : press(selector));
const NOTE = ".verdicts .note, .note-form input[name=text]";

function focusNote() {
  if (!workspace()) { $(NOTE)?.focus(); return; }
  const target = current();
  if (target?.article) $(NOTE, target.article)?.focus();
  else if (target) openId(target.id).then(() => $(NOTE, article() ?? document)?.focus());
}
function explainAgain() {
  const button = $('article.alert form[action$="/explain/"] button');
  if (button) button.click();
  else toast("It cannot be explained again now.", { tone: "good" });
}
// A click on a button of the panel is the same as its key; the second click of a double one is none.
function actionOf(form, submitter) {
  if (form.matches(".verdicts") && submitter?.name === "value") return () => decide(submitter.value);
  if (form.matches(".take")) return () => change("assign", { to: submitter?.value ?? "me" });
  if (form.matches("[data-reopen]")) return () => change("reopen", {});
  return form.matches("[data-undo]") ? () => undo(Number(form.dataset.undo)) : null;
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  const act = inQueue() && form.closest("#panel-body") ? actionOf(form, event.submitter) : null;
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  if (!$("#panel.is-behind")) act();
}, true);
const ACTS = { escalate, withdraw: () => change("escalate", { withdraw: "1" }), mute };
document.addEventListener("click", (event) => {
  if (event.target.closest(".verdict-bar button") && event.detail > 1) { event.preventDefault(); return; }
  const button = event.target.closest("#panel-body [data-act]");
  if (!button || !isPlain(event) || !inQueue()) return;
  event.preventDefault();
  event.stopPropagation();
  if (!$("#panel.is-behind")) ACTS[button.dataset.act]?.();
}, true);
// Enter in the note goes back to the keys; it never decides by itself.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches?.(".verdicts .note")) return;
  event.preventDefault();
  event.target.blur();
  if (workspace()) focusRow();
});
// Nobody is said to look at an alert in a window that is hidden.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.closest("[data-presence]")) event.preventDefault();
});

const listed = () => Boolean($("#rows"));
key("j", "next alert", () => move(1), { group: "Queue", when: listed, repeat: true });
key("k", "previous alert", () => move(-1), { group: "Queue", when: listed, repeat: true });
const opens = { group: "Queue", when: () => Boolean(workspace() && selected()) };
key("o", "open the selected alert", () => open(selected()), { ...opens, show: "o Enter" });
key("Enter", "", () => open(selected()), opens);
bulk.registerKeys();
Object.entries(VERDICTS).forEach(([value, label], index) => {
  const name = String(index + 1);
  const queue = () => bulk.orOne({ do: "verdict", value }, () => decide(value));
  key(name, label, either(queue, `[data-key="${name}"]`), { group: "Verdict", when: acts, palette: `Decide: ${label}` });
});
const group = "Alert";
key("a", "take it, or give it back", either(() => bulk.orOne({ do: "assign", value: "me" }, take), '[data-key="a"]'), { group, when: acts, palette: "Take the alert" });
key("e", "escalate: ask for somebody senior", either(() => bulk.orOne({ do: "escalate", value: "" }, escalate), '[data-key="e"]'), { group, when: acts, palette: "Escalate the alert" });
key("i", "explain it again", explainAgain, { group, when: () => acts() && Boolean($("article.alert")), palette: "Explain the alert again" });
key("m", "mute alerts like it", mute, { group, when: acts, palette: "Mute alerts like it" });
key("n", "write a note", focusNote, { group, when: acts, palette: "Write a note" });
key("u", "undo what you did last, up to ten times", () => undo(), { group, when: mayDecide, palette: "Undo" });

// Pages, in the order of the rail.
const PAGES = [["q", "Queue"], ["e", "Events"], ["n", "Entities"], ["o", "Overview"], ["m", "Models"], ["s", "Sources"], ["r", "Mutes"], ["t", "Settings"], ["h", "Help"]];
const linkOf = (label) => [...document.querySelectorAll(".rail a")].find((link) => $("span", link)?.textContent.trim() === label);
for (const [letter, label] of PAGES) {
  key(`g ${letter}`, `go to ${label}`, () => leaveFor(linkOf(label).href), { group: "Go", when: () => Boolean(linkOf(label)) });
}
function focusSearch() {
  const field = $("#q") ?? $("[data-search]");
  field.focus();
  field.select?.();
}
key("/", "search on this page", focusSearch, { when: () => Boolean($("#q, [data-search]")) });
key("?", "these keys", openSheet, { palette: "Show the keys" });

onEscape(10, () => {
  const [menu] = closeMenus();
  menu?.querySelector("summary")?.focus();
  return Boolean(menu);
});
onEscape(30, (event) => {
  const field = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (!field || field.type === "checkbox") return false;
  field.blur();
  if (workspace() && selected()) focusRow();
  return true;
});
onEscape(35, () => hideToast("bad"));
onEscape(50, () => {
  if (!hasPanel()) return false;
  closePanel();
  return true;
});
