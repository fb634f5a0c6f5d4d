// What is checked inside a page. Each check returns a list of problems in words; none is a list of nothing.
(() => {
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (element) => {
    const id = element.id ? `#${element.id}` : "";
    const classes = [...element.classList].slice(0, 3).map((one) => `.${one}`).join("");
    return `${element.tagName.toLowerCase()}${id}${classes} "${(element.textContent || "").trim().slice(0, 30)}"`;
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: false });

  function overflow() {
    const root = document.documentElement;
    if (root.scrollWidth <= innerWidth) return [];
    const held = (one) => {
      for (let above = one.parentElement; above && above !== root; above = above.parentElement) {
        if (getComputedStyle(above).overflowX !== "visible" && above !== document.body) return true;
      }
      return false;
    };
    const wide = all("body *").filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !held(one));
    return [`${root.scrollWidth} wide in ${innerWidth}: ${wide.slice(-2).map(name).join(", ")}`];
  }

  function inert() {
    const found = [];
    if (window.hit !== undefined) found.push(`a script of a log ran: ${window.hit}`);
    const foreign = all("body img:not([src^='/static/']), body iframe, body object, body embed, body style, body meta");
    const scripts = all("body script:not([src^='/static/']):not([type='application/json'])");
    const handlers = all("body *").filter((one) => [...one.attributes].some((a) => a.name.startsWith("on")));
    const bold = all("b").filter((one) => one.textContent === "x");
    for (const one of [...foreign, ...scripts, ...handlers, ...bold]) found.push(`injected: ${one.outerHTML.slice(0, 80)}`);
    for (const one of all("a[href], form[action]")) {
      const target = one.getAttribute("href") ?? one.getAttribute("action");
      if (/^\s*(javascript|data|vbscript):/i.test(target)) found.push(`link: ${target.slice(0, 80)}`);
    }
    if (/49 '">/.test(document.body.innerText + document.title)) found.push("a template of a log was run");
    return found;
  }

  function unseen() {
    const found = [];
    if (UNSEEN.test(document.title)) found.push("title of the page");
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (UNSEEN.test(walker.currentNode.data) && !parent.closest("script, textarea")) found.push(`text of ${name(parent)}`);
    }
    for (const one of all("[title], [aria-label], [alt], [placeholder]")) {
      for (const attribute of ["title", "aria-label", "alt", "placeholder"]) {
        if (UNSEEN.test(one.getAttribute(attribute) ?? "")) found.push(`${attribute} of ${name(one)}`);
      }
    }
    return [...new Set(found)].slice(0, 5);
  }

  function frame() {
    const found = [];
    if (!document.title.trim()) found.push("no title");
    if (!document.documentElement.lang) found.push("no language");
    const heads = all("h1").filter(shown);
    if (heads.length !== 1) found.push(`${heads.length} h1: ${heads.map(name).join(", ")}`);
    return found;
  }

  function motion() {
    const moves = (one) => {
      const style = getComputedStyle(one);
      const times = `${style.transitionDuration},${style.animationName === "none" ? "0s" : style.animationDuration}`;
      return Math.max(...times.split(",").map(parseFloat)) > 0.02;
    };
    return all("body, body *").filter(moves).slice(0, 3).map(name);
  }

  // Every element that Tab should reach: what can be focused and is shown. A group of radio buttons is one stop.
  function stops() {
    const wanted = "a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select:not([disabled]),"
      + "textarea:not([disabled]), summary, [tabindex]:not([tabindex='-1'])";
    const groups = new Set();
    return all(wanted).filter((one) => {
      if (one.tabIndex < 0 || !shown(one) || one.closest("[inert]") || one.getBoundingClientRect().width === 0) return false;
      if (one.type !== "radio") return true;
      const group = `${one.form?.id} ${one.name}`;
      return !groups.has(group) && groups.add(group);
    });
  }
  function isMarked(one) {
    const seen = (element) => {
      const style = getComputedStyle(element);
      return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
    };
    const near = [one, one.closest("label"), one.parentElement, one.nextElementSibling, one.closest("[data-id], tr, li")];
    return near.some((element) => element && seen(element));
  }
  let walked = [];
  document.addEventListener("focusin", (event) => walked.push({ element: event.target, marked: isMarked(event.target) }));
  function beginWalk() { walked = []; return stops().length; }
  function endWalk() {
    const reached = new Set(walked.map((step) => step.element));
    const radios = new Set([...reached].filter((one) => one.type === "radio").map((one) => one.name));
    const missed = stops().filter((one) => !reached.has(one) && !(one.type === "radio" && radios.has(one.name)));
    const dim = walked.filter((step) => !step.marked).map((step) => step.element);
    return [
      ...missed.slice(0, 5).map((one) => `Tab never comes to ${name(one)}`),
      ...[...new Set(dim)].slice(0, 5).map((one) => `no mark of focus on ${name(one)}`),
    ];
  }

  async function accessibility(tags) {
    const result = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
    return result.violations.map((one) => {
      const where = one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary.split("\n")[1]}`);
      return `${one.id} (${one.nodes.length}): ${where.join("; ")}`;
    });
  }

  window.checks = { overflow, inert, unseen, frame, motion, beginWalk, endWalk, accessibility };
})();
