// What the browser adds to pages that work without it: the panel, keys, ages, theme, copy, errors.
// Handed: server-rendered HTML. It builds no HTML of its own and never reads log text as anything but text.
const $ = (selector, root = document) => root.querySelector(selector);
const root = document.documentElement;
const panelBody = () => $("#panel-body");
const rows = () => [...document.querySelectorAll("#rows .row")];
const selected = () => $("#rows .row[aria-current]");

// Theme: a cookie, so that the server paints the right one at once.
function toggleTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
}

// Ages: the same words as the server's filter.
function ageOf(milliseconds) {
  const seconds = milliseconds / 1000;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return "now";
}
function refreshAges() {
  for (const time of document.querySelectorAll("time[data-age]")) {
    const text = ageOf(Date.now() - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

let toastTimer = 0;
function toast(text) {
  const box = $("#toast");
  if (!box) return;
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 8000);
}

// The panel. The list stays where it is; the address says which alert is open.
function addressOf(id) {
  const address = new URL(location.href);
  address.hash = "";
  if (id) address.searchParams.set("alert", id); else address.searchParams.delete("alert");
  return address.pathname + address.search;
}
function select(row) {
  selected()?.removeAttribute("aria-current");
  if (!row) return;
  row.setAttribute("aria-current", "true");
  row.classList.remove("is-new");
  row.scrollIntoView({ block: "nearest" });
}
function loadPanel(id, push) {
  $("#workspace").classList.add("has-panel");
  if (push) history.pushState({ alert: id }, "", addressOf(id));
  window.htmx.ajax("GET", `/alerts/${id}/panel/`, { target: "#panel-body", swap: "innerHTML" }).then(() => {
    $("#panel").scrollTop = 0;
  });
}
function open(row, push = true) {
  select(row);
  loadPanel(row.dataset.id, push);
}
function closePanel(push = true) {
  $("#workspace").classList.remove("has-panel");
  const row = selected();
  if (push) history.pushState({ alert: "" }, "", addressOf(""));
  $("a.row-link", row ?? document)?.focus();
}
addEventListener("popstate", () => {
  if (!$("#workspace")) return;
  const id = new URL(location.href).searchParams.get("alert");
  if (!id) { closePanel(false); return; }
  select(document.getElementById(`row-${id}`));
  loadPanel(id, false);
});

let moving = 0;
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(selected());
  const row = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  select(row);
  $(".row-link", row).focus({ preventScroll: true });
  if (!$("#workspace").classList.contains("has-panel")) return;
  clearTimeout(moving);
  moving = setTimeout(() => loadPanel(row.dataset.id, false), 90);
  history.replaceState({ alert: row.dataset.id }, "", addressOf(row.dataset.id));
}

// Claims point to evidence.
function light(number, on) {
  for (const line of document.querySelectorAll("[data-evidence]")) {
    line.classList.toggle("lit", on && line.dataset.evidence === number);
  }
}

document.addEventListener("click", (event) => {
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) && event.button === 0;
  const link = event.target.closest("a.row-link");
  if (link && plain && $("#workspace")) {
    event.preventDefault();
    open(link.closest(".row"));
    return;
  }
  if (event.target.closest("[data-close]") && plain && $("#workspace")) {
    event.preventDefault();
    closePanel();
    return;
  }
  const cite = event.target.closest("[data-cite]");
  if (cite && plain) {
    event.preventDefault();
    light(cite.dataset.cite, true);
    $(`[data-evidence="${cite.dataset.cite}"]`)?.scrollIntoView({ block: "center" });
    return;
  }
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  const copy = event.target.closest("[data-copy]");
  if (copy) copyText(copy);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
async function copyText(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
}
document.addEventListener("pointerover", (event) => {
  const cite = event.target.closest?.("[data-cite]");
  if (cite) light(cite.dataset.cite, true);
});
document.addEventListener("pointerout", (event) => {
  if (event.target.closest?.("[data-cite]")) light("", false);
});
document.addEventListener("focusin", (event) => {
  const cite = event.target.closest?.("[data-cite]");
  if (cite) light(cite.dataset.cite, true);
});
document.addEventListener("focusout", (event) => {
  if (event.target.closest?.("[data-cite]")) light("", false);
});

// Keys: never with a modifier, never while typing.
const typing = (element) => element.closest?.("input, textarea, select, [contenteditable]");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    if (typing(event.target)) event.target.blur();
    else if ($("#workspace.has-panel")) closePanel();
    return;
  }
  if (typing(event.target)) return;
  if ("jk".includes(event.key) && $("#rows")) { event.preventDefault(); move(event.key === "j" ? 1 : -1); return; }
  if (event.key === "o" && selected()) { event.preventDefault(); open(selected()); return; }
  if (event.key === "/" && $("#q")) { event.preventDefault(); $("#q").select(); return; }
  if (event.key === "?") { location.assign("/help/"); return; }
  if (event.key === "n") {
    const note = $(".verdicts .note");
    if (note) { event.preventDefault(); note.focus(); }
    return;
  }
  if (/^[1-7au]$/.test(event.key)) {
    const button = $(`article.alert [data-key="${event.key}"]`);
    if (button && !event.repeat) { event.preventDefault(); button.click(); }
  }
});

// After a swap the keyboard must be somewhere sensible.
document.addEventListener("htmx:afterSwap", (event) => {
  refreshAges();
  if (event.detail.target?.id !== "panel-body" || document.activeElement !== document.body) return;
  const row = selected();
  if (row && matchMedia("(min-width: 1100px)").matches) $(".row-link", row).focus({ preventScroll: true });
  else $("h2", panelBody())?.focus({ preventScroll: true });
});
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (event.detail.elt.id === "pulse") return;
  if (status === 403) toast("Your role does not reach this. Nothing was changed.");
  else if (status === 404) toast("That is gone. Reload the page for the current list.");
  else toast(`The server could not do that (${status}). Nothing was changed; try again.`);
});
document.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Nothing was changed; what you see may be old."));

// One notice per outage, and the freshness badge stops claiming to be live.
document.addEventListener("htmx:sendError", () => {
  const badge = $("#freshness");
  if (badge) { badge.className = "freshness stale"; badge.textContent = "Connection lost"; }
});

setInterval(refreshAges, 10000);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});
