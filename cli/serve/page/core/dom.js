// Builds elements. Text only ever becomes text nodes: a name from a log is never read as markup.

/**
 * An element: `make("td.number", {title: "…"}, "12")`. Attributes that are null or false are left out, functions listen
 * (`onclick`), texts and numbers become text.
 */
export function make(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const found = document.createElement(tag);
  if (classes.length) found.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") found.addEventListener(name.slice(2), value);
    else found.setAttribute(name, value === true ? "" : String(value));
  }
  found.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return found;
}

/** A name from a log, kept apart from the direction of the text around it. */
export function named(text, kind = "bdi") {
  return make(kind, { class: text === null ? "unknown" : null }, text === null ? "unknown" : visible(text) || "(empty)");
}

/** A number with its exact value beside what is shown. */
export function value(exact, shown) {
  return make("data", { value: exact === null ? "" : String(exact), title: shown === String(exact) ? null : exactly(exact) }, shown);
}

/** A table's head, from titles; a title that begins with `#` stands over numbers. */
export function heads(...titles) {
  return make(
    "thead",
    {},
    make("tr", {}, titles.map((title) => make(title.startsWith("#") ? "th.number" : "th", { scope: "col" }, title.replace(/^#/, "")))),
  );
}

/** A table, named for who cannot see it; where it is wider than its place, it can be scrolled, also by keyboard: a group then, no landmark. */
export function table(label, ...parts) {
  const node = make("div.scroll", {}, make("table", { "aria-label": label }, ...parts));
  new ResizeObserver(() => {
    const wide = node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight;
    for (const [name, text] of [["tabindex", "0"], ["role", "group"], ["aria-label", label]]) {
      if (wide) node.setAttribute(name, text);
      else node.removeAttribute(name);
    }
  }).observe(node);
  return node;
}

/** Empties `parent` and puts `children` in. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

function exactly(number) {
  return typeof number === "number" ? number.toLocaleString("en-US", { maximumFractionDigits: 18 }) : null;
}

// Controls and marks that turn the direction of text would make a name look like another one.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A text in which names from a log may stand, without what would hide a part of it or turn its direction. */
export function visible(text) {
  return text.replace(HIDDEN, "\ufffd");
}
