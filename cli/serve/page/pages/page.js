// What the smaller pages share: a heading, and a content that is asked for once.

import { fill, make } from "../core/dom.js";
import { failed, waiting } from "../core/states.js";

/** Shows `title` and what `drawn()` resolves to; a failure shows itself, with a button to try again. */
export async function shown(main, title, said, drawn) {
  const body = make("div.stack", {}, make("div.card", {}, waiting(6)));
  fill(main, make("div.head", {}, make("div", {}, make("h1", {}, title), make("p.said", {}, said))), body);
  body.setAttribute("aria-busy", "true");
  try {
    fill(body, await drawn());
  } catch (trouble) {
    if (trouble.forbidden) fill(main, failed(trouble));
    else fill(body, failed(trouble, () => shown(main, title, said, drawn)));
  } finally {
    body.removeAttribute("aria-busy");
  }
}

/** A card with a heading. */
export function section(title, ...children) {
  return make("section.card", { "aria-label": title }, make("div.top", {}, make("h2", {}, title)), ...children);
}
