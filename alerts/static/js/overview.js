// The overview: a part that the server does not deliver says so in its own place; the rest of the page stays.
// Handed: htmx's events about the parts that follow. Hands on: a class. Charts are charts.js's.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const part = event.detail.elt?.closest?.(".pending");
    part?.classList.add("failed");
    part?.setAttribute("aria-busy", "false");
  });
}
