// The cards: what the range and the filters come to, at a glance.

import { fill, make, value } from "../core/dom.js";
import { duration, grouped, rate, tenths, usd } from "../core/figures.js";

/** A figure with more letters than this is written smaller. */
const LONG = 9;

const CARDS = [
  ["requests", "Requests"],
  ["tokens", "Total Tokens"],
  ["cost", "Estimated Cost"],
  ["average", "Avg / Call"],
  ["sessions", "Sessions"],
  ["runtime", "Runtime"],
];

/** ~12; <1 for what rounds to nothing and is not. */
function daily(many) {
  return many > 0 && many < 0.5 ? "<1" : `~${grouped(Math.round(many))}`;
}

export function cards() {
  const figures = {};
  const node = make(
    "dl.cards",
    { "aria-label": "Totals" },
    CARDS.map(([name, title]) => {
      figures[name] = [make("dd.figure", {}, make("div.waiting")), make("dd.under", {}, "\u00a0")];
      return make("div.card", { "data-card": name }, make("dt", {}, title), figures[name]);
    }),
  );

  function set(name, figure, under) {
    fill(figures[name][0], figure);
    figures[name][0].classList.toggle("long", figure.textContent.length > LONG);
    fill(figures[name][1], under);
  }

  function show(usage, choice) {
    const { total_requests: requests, prompt_tokens: prompt, completion_tokens: completion, unpriced_requests: unpriced } = usage;
    const total = usage.total_cost === null ? null : usage.total_cost.total_cost;
    const each = requests && total !== null ? total / requests : null;
    const profiles = Object.keys(usage.aggregates.by_profile).length;
    // The last 24 hours lie in two days of the calendar, and are one.
    const days = choice.period === "24h" ? 1 : Math.max(usage.days, 1);
    set("requests", value(requests, grouped(requests)), `${daily(requests / days)} per day`);
    set("tokens", value(prompt + completion, tenths(prompt + completion)), `${tenths(prompt)} prompt · ${tenths(completion)} completion`);
    set("cost", value(total, usd(total)), each === null ? "—" : `~${rate(each)} per request`);
    set("average", value(each, rate(each)), unpriced ? `${grouped(unpriced)} ${unpriced === 1 ? "call" : "calls"} without a known price` : "cost per API call");
    set("sessions", value(usage.total_sessions, grouped(usage.total_sessions)), profiles === 1 ? "1 profile" : `${grouped(profiles)} profiles`);
    set("runtime", value(usage.total_runtime_secs, duration(usage.total_runtime_secs)), "from first to last call");
  }

  return { node, show };
}
