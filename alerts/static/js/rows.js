// Rows that come and go: a decided one leaves its place, an undone one comes back to it, a changed one is made anew.
// Handed: rows and the server's HTML for them. Hands on: the list, without moving what is read.
import { $, $$ } from "./dom.js";
import { focusRow, rowOf, selected } from "./panel.js";

const places = new WeakMap();

// The counts above the list follow what leaves it and comes back; the server's own come with the next page.
function add(place, step) {
  if (!place) return;
  place.textContent = Math.max(Number(place.textContent.replaceAll(",", "")) + step, 0).toLocaleString("en");
}
function recount(row, step) {
  const open = $(".segments a[aria-current] b");
  add(open, step);
  add($$(".segments a b").find((count) => count !== open && count.parentElement.search.includes("status=closed")), -step);
  const level = [...row.classList].find((name) => name.startsWith("sev-"))?.slice(4);
  add($$(".chips a b").find((count) => new RegExp(`\\bseverity=${level}\\b`).test(count.parentElement.search)), step);
  const bar = $("#bulk-bar");
  if (bar) bar.dataset.total = String(Number(bar.dataset.total) + step);
}

// It is on its way out: seen as decided, no longer one that keys can reach.
export function markLeaving(row, word) {
  row.dataset.leaving = word;
  row.removeAttribute("aria-current");
}
export function takeOut(row) {
  if (!row?.isConnected) return;
  const list = $("#rows");
  const anchor = selected();
  const above = anchor && (row.compareDocumentPosition(anchor) & Node.DOCUMENT_POSITION_FOLLOWING);
  const before = anchor?.getBoundingClientRect().top ?? 0;
  const mark = document.createComment(row.dataset.id);
  row.replaceWith(mark);
  places.set(row, { mark, next: anchor?.dataset.id });
  recount(row, -1);
  if (above) list.scrollTop += anchor.getBoundingClientRect().top - before;
}
export function putBack(row) {
  delete row.dataset.leaving;
  if (row.isConnected) return;
  const { mark, next } = places.get(row) ?? {};
  const after = next && rowOf(next)?.closest("#rows > li");
  if (mark?.isConnected) mark.replaceWith(row);
  else if (after) after.before(row);
  else $("#rows")?.prepend(row);
  recount(row, 1);
}
export function renew(row, html) {
  if (!row?.isConnected || !html) return;
  const { id } = row.dataset;
  const kept = {
    current: row.hasAttribute("aria-current"),
    focused: row.contains(document.activeElement),
    picked: $("input[data-select]", row)?.checked ?? false,
  };
  window.htmx.swap(row, html, { swapStyle: "outerHTML", settleDelay: 0 }, { contextElement: row.parentElement });
  const fresh = rowOf(id);
  if (!fresh) return;
  if (kept.current) fresh.setAttribute("aria-current", "true"); else fresh.removeAttribute("aria-current");
  const box = $("input[data-select]", fresh);
  if (box) box.checked = kept.picked;
  if (kept.focused) focusRow(fresh);
}
