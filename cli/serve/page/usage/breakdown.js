// Tokens and cost by class.

import { fill, heads, make, table, value } from "../core/dom.js";
import { grouped, share, usd } from "../core/figures.js";
import { part } from "./part.js";

const CLASSES = [
  ["Input", "Tokens in the request (prompt, system message, context)", "input_tokens", "input_cost"],
  ["Output", "Tokens in the response (completion)", "output_tokens", "output_cost"],
  ["Cache creation", "Tokens written to prompt cache", "cache_creation_input_tokens", "cache_creation_cost"],
  ["Cache read", "Tokens read from prompt cache (cheaper than input)", "cache_read_input_tokens", "cache_read_cost"],
];

export function breakdown() {
  const { node, body, fail } = part("Tokens and cost by class", { name: "breakdown", lines: 5 });

  async function load(ask, question) {
    const { total_tokens: tokens, total_cost: cost } = await ask("/api/usage", question);
    const all = CLASSES.reduce((sum, [, , name]) => sum + tokens[name], 0);
    const rows = CLASSES.map(([title, meaning, name, costName]) => row(name, title, meaning, tokens[name], cost === null ? null : cost[costName], all));
    if (cost?.other_cost) rows.push(row("other", "Other", "Web searches, and costs that are only known as a whole", null, cost.other_cost, all));
    fill(
      body,
      table(
        "Tokens and cost by class",
        heads("Class", "#Tokens", "#Share", "#Cost"),
        make("tbody", {}, rows),
        make(
          "tfoot",
          {},
          make(
            "tr",
            {},
            make("th", { scope: "row" }, "Total"),
            make("td.number", {}, value(all, grouped(all))),
            make("td", {}),
            make("td.number", {}, value(cost?.total_cost ?? null, usd(cost?.total_cost))),
          ),
        ),
      ),
    );
  }

  return { node, load, fail };
}

function row(name, title, meaning, tokens, cost, all) {
  return make(
    "tr",
    { "data-class": name },
    make("th", { scope: "row", title: meaning }, title),
    make("td.number", {}, tokens === null ? "" : value(tokens, grouped(tokens))),
    make("td.number.faint", {}, tokens === null ? "" : share(tokens, all)),
    make("td.number", {}, value(cost, usd(cost))),
  );
}
