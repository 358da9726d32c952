// What the page says where there is nothing: nothing ever, or nothing under these filters.

import { WIDE, narrowed } from "../core/choice.js";
import { make } from "../core/dom.js";
import { empty } from "../core/states.js";

/** No call was ever recorded. */
export function nothing() {
  return empty(
    "No token usage yet.",
    make("p", {}, "ringlet reads the logs of your coding agents as they are written. Use one of them, or import what Claude Code left."),
    make("p", {}, "Where it looks: ", make("code", {}, "ringlet agents list")),
  );
}

/** There is usage, but not here. */
export function nothingHere(choice, choose) {
  return empty(
    "No usage matches these filters.",
    make("p", {}, "Try a wider date range, or clear the provider and model filters."),
    make(
      "div.narrow",
      {},
      choice.period === "all" ? null : make("button", { type: "button", onclick: () => choose({ period: "all" }) }, "Show All Time"),
      narrowed(choice) ? make("button", { type: "button", onclick: () => choose(WIDE) }, "Clear filters") : null,
    ),
  );
}

/** A chart that has nothing to draw. */
export function nothingToChart() {
  return make("p.empty", { role: "status" }, "No daily usage to chart for the current filters.");
}
