// History that is gone: tokens that an agent's own statistics remember and no log explains. They are in no number.

import { fill, make } from "../core/dom.js";
import { tenths } from "../core/figures.js";

export function lostHistory() {
  const node = make("p.note", { hidden: true });

  function show(lost) {
    node.hidden = lost === null;
    if (lost === null) return;
    const days = lost.from === lost.to ? lost.from : `${lost.from} to ${lost.to}`;
    fill(node, `Claude Code remembers at least ${tenths(lost.tokens)} more tokens (${days}) whose logs are gone. They are in none of these numbers.`);
  }

  return { node, show };
}
