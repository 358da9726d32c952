// Top consumers: the conversations and agents that took most.

import { fill, make, named, value } from "../core/dom.js";
import { tenths, usd } from "../core/figures.js";
import { choiceOf } from "../core/switch.js";
import { part } from "./part.js";
import { badge } from "./badge.js";

const SHOWN = 8;

/** `context.choose` keeps what they are ranked by. */
export function consumers(context) {
  const ranks = choiceOf("Rank by", [["cost", "Cost"], ["tokens", "Tokens"]], (rank) => context.choose({ rank: rank === "cost" ? null : rank }));
  const { node, body, fail } = part("Top consumers", { name: "consumers", acts: [ranks.node], lines: 6 });

  async function load(ask, question, choice) {
    const rank = choice.rank ?? "cost";
    ranks.set(rank);
    const { rows } = await ask("/api/usage/top", { ...question, rank, limit: SHOWN });
    const size = (row) => (rank === "cost" ? (row.cost ?? 0) : row.total_tokens);
    const most = Math.max(...rows.map(size), 0);
    fill(
      body,
      rows.length
        ? make("ol.ranks", {}, rows.map((row) => make("li", {}, line(row, rank), make("meter.bar", { min: 0, max: most || 1, value: size(row), "aria-hidden": "true" }))))
        : make("p.empty", { role: "status" }, "No conversation has a name here."),
    );
  }

  return { node, load, fail };
}

function line(row, rank) {
  const [first, second] = [value(row.cost, usd(row.cost)), value(row.total_tokens, `${tenths(row.total_tokens)} tokens`)];
  return make(
    "div.line",
    {},
    make("span.who", { title: row.project }, badge(row.source), " ", named(row.name)),
    make("span.much", {}, rank === "cost" ? first : second, make("span.faint", {}, " · ", rank === "cost" ? second : first)),
  );
}
