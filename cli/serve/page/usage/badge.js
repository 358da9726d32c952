// The badge that names a source in its colour.

import { SOURCES } from "../core/choice.js";
import { make } from "../core/dom.js";

/** `chat`, `agent` or `memory`; nothing for what the log leaves open. */
export function badge(source) {
  const known = SOURCES.find(([name]) => name === source);
  return known ? make(`span.badge.${known[0]}`, {}, known[1]) : null;
}
