// What every page has: theme, clock, ages, menus, copying, notices, and what to say when the server does not answer.
// Handed: server-rendered HTML. Hands on: toast(), zone(), refreshTimes(). Text is only ever set as text.
import { $, $$, make } from "./dom.js";

const root = document.documentElement;
const YEAR_SECONDS = 31536000;
const NOTICE_MS = 8000;

const keep = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`; };
const kept = (name) => document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";

// Theme: a cookie, so that the server paints the right one at once.
export function toggleTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("theme", root.dataset.theme);
  document.dispatchEvent(new CustomEvent("winnow:theme"));
}

// Clock: the server writes UTC; a person may read local time instead. What was written is kept, so that it comes back.
export const zone = () => (kept("zone") === "local" ? "local" : "utc");
const two = (number) => String(number).padStart(2, "0");
function offsetOf(moment) {
  const minutes = -moment.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
// The shape of a time is what `data-clock` says: date, minute, time (of day), or the whole with its offset.
export function localText(iso, shape) {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return "";
  const date = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const minute = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  if (shape === "date") return date;
  if (shape === "minute") return minute;
  if (shape === "time") return `${minute}:${two(moment.getSeconds())}`;
  if (shape === "stamp") return `${date} ${minute}:${two(moment.getSeconds())}`;
  return `${date} ${minute}:${two(moment.getSeconds())} ${offsetOf(moment)}`;
}
function writeClock(time, local) {
  if (!("utc" in time.dataset)) time.dataset.utc = time.textContent;
  const text = local ? localText(time.dateTime, time.dataset.clock) || time.dataset.utc : time.dataset.utc;
  if (time.textContent !== text) time.textContent = text;
}
function writeTitle(time, local) {
  if (!("utcTitle" in time.dataset)) time.dataset.utcTitle = time.title;
  time.title = local ? localText(time.dateTime, "") || time.dataset.utcTitle : time.dataset.utcTitle;
}
export function refreshTimes(from = document) {
  const local = zone() === "local";
  for (const time of $$("time[data-clock]", from)) if (local || "utc" in time.dataset) writeClock(time, local);
  for (const time of $$("time[title]", from)) if (local || "utcTitle" in time.dataset) writeTitle(time, local);
  for (const button of $$("[data-zone-toggle]")) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    button.textContent = local ? "Local" : "UTC";
    button.title = local ? `Times are in your zone (${here}). Switch to UTC.` : `Times are in UTC. Switch to your zone (${here}).`;
  }
}
export function toggleZone() {
  keep("zone", zone() === "local" ? "utc" : "local");
  refreshTimes();
  document.dispatchEvent(new CustomEvent("winnow:zone"));
}

// Ages: the same words as the server's filter.
export function ageOf(milliseconds) {
  const seconds = milliseconds / 1000;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return "now";
}
export function refreshAges() {
  for (const time of $$("time[data-age]")) {
    const text = ageOf(Date.now() - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

// Notices. What went well has one place and is followed by the next; what went wrong stays until it was read or its time
// is over. One may offer one thing to do, such as to undo.
const MOST_NOTICES = 4;
export function toast(text, { tone = "bad", label = "", key = "", run = null, stay = NOTICE_MS } = {}) {
  const place = $("#toast");
  if (!place) return;
  const box = make("div", { className: `toast ${tone}` }, make("span", { textContent: text }));
  const close = () => dismiss(box);
  if (run) {
    const button = make("button", { type: "button", className: "button" }, label);
    if (key) button.append(make("kbd", { textContent: key }));
    button.addEventListener("click", () => { close(); run(); });
    box.append(button);
  }
  const end = make("button", { type: "button", className: "icon-button", title: "Dismiss" }, "×");
  end.setAttribute("aria-label", "Dismiss");
  end.addEventListener("click", close);
  box.append(end);
  if (tone === "good") for (const old of $$(".toast.good", place)) old.remove();
  place.append(box);
  while (place.childElementCount > MOST_NOTICES) place.firstElementChild.remove();
  setTimeout(close, stay);
}
function dismiss(box) {
  const held = box.contains(document.activeElement);
  box.remove();
  if (held) ($("#rows .row[aria-current] a.row-link") ?? $("#main"))?.focus({ preventScroll: true });
}
// Close all of a tone; return whether there was one.
export function hideToast(tone) {
  const all = $$(`#toast .toast.${tone}`);
  for (const box of all) dismiss(box);
  return all.length > 0;
}

// What went wrong, what is safe, what to do.
export function failed(status) {
  if (status === 401) return; // the page is on its way to the login
  if (status === 403) toast("Your role does not reach this. Nothing was changed.");
  else if (status === 404) toast("That is gone. Reload the page for the current list.");
  else toast(`The server could not do that (${status}). Nothing was changed; try again.`);
}
let out = false;
export function lost({ again = false } = {}) {
  if (out && !again) return; // one notice per outage
  out = true;
  toast("The server cannot be reached. Nothing was changed; what you see may be old.");
  const badge = $("#freshness");
  if (badge) { badge.className = "freshness stale"; badge.textContent = "Connection lost"; }
}

export function closeMenus(except = null) {
  const open = $$("details.menu[open]").filter((menu) => !(except && menu.contains(except)));
  for (const menu of open) menu.open = false;
  return open;
}
async function copyFrom(button) {
  const text = button.dataset.copyText ?? document.getElementById(button.dataset.copy)?.textContent ?? "";
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { if (button.isConnected) button.textContent = before; }, 2000);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  if (event.target.closest("[data-zone-toggle]")) toggleZone();
  const copy = event.target.closest("[data-copy]");
  if (copy) copyFrom(copy);
  closeMenus(event.target);
});
document.addEventListener("htmx:afterSwap", () => { refreshAges(); refreshTimes(); });
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.elt.closest("#pulse, [data-quiet]")) return;
  failed(event.detail.xhr.status);
});
document.addEventListener("htmx:sendError", () => lost());
document.addEventListener("htmx:afterOnLoad", () => { out = false; });
setInterval(refreshAges, 10000);
refreshTimes();
