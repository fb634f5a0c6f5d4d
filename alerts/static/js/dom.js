// What every module of the pages needs: short names, plain clicks, requests that carry the token.
// Handed: selectors, addresses. Hands on: elements and responses. It knows no page.
export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// A click that means what it does here, not "open in a new tab".
export const isPlain = (event) => event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

const NO_TEXT = new Set(["checkbox", "radio", "button", "submit", "reset", "range", "color", "file", "image"]);
export function isTyping(element) {
  const field = element?.closest?.("input, textarea, select, [contenteditable]");
  return Boolean(field) && !(field.tagName === "INPUT" && NO_TEXT.has(field.type));
}

export const wide = () => matchMedia("(min-width: 1100px)").matches;

// The words between two tags, without reading anything as HTML.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const token = () => $('input[name="csrfmiddlewaretoken"]')?.value ?? "";

// A lost session sends the whole page to the login, as it does for htmx.
function leaveIfAsked(response) {
  const login = response.headers.get("HX-Redirect");
  if (login) location.assign(login);
}

export async function getFragment(address, signal) {
  const response = await fetch(address, { headers: { "HX-Request": "true" }, signal, credentials: "same-origin" });
  leaveIfAsked(response);
  return response;
}

export async function getJson(address, signal) {
  const headers = { Accept: "application/json", "HX-Request": "true" };
  const response = await fetch(address, { headers, signal, credentials: "same-origin" });
  leaveIfAsked(response);
  return response;
}

export async function postJson(address, data) {
  const response = await fetch(address, {
    method: "POST",
    headers: { Accept: "application/json", "HX-Request": "true", "X-CSRFToken": token() },
    body: new URLSearchParams(data),
    credentials: "same-origin",
  });
  leaveIfAsked(response);
  return response;
}
