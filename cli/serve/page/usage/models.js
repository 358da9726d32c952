// Usage by provider and model, with a totals row. The order is the server's: the dearest first.

import { fill, heads, make, named, table, value } from "../core/dom.js";
import { grouped, share, usd } from "../core/figures.js";
import { part } from "./part.js";

export function models() {
  const { node, body, fail } = part("Providers and models", { name: "models" });

  async function load(ask, question) {
    const { rows, totals } = await ask("/api/usage/rollup", { ...question, by: "provider,model" });
    const all = totals.cost?.total_cost ?? 0;
    fill(
      body,
      table(
        "Providers and models",
        heads("Provider", "Model", "#Requests", "#Prompt", "#Completion", "#Total tokens", "#Est. cost"),
        make("tbody", {}, rows.map((row) => line(row, rows.length > 1 ? all : 0))),
        make("tfoot", {}, make("tr", {}, make("th", { scope: "row", colspan: 2 }, "Total"), numbers(totals, usd(all)))),
      ),
    );
  }

  return { node, load, fail };
}

function line(row, all) {
  const cost = row.cost?.total_cost ?? 0;
  const part = share(cost, all);
  return make(
    "tr",
    {},
    make("td.name", {}, named(row.group.provider)),
    make("th.name.mono", { scope: "row" }, named(row.group.model)),
    numbers(row, usd(cost), part ? make("span.faint", {}, ` (${part})`) : null, mark(row)),
  );
}

function numbers(sums, cost, ...more) {
  return [
    make("td.number", {}, value(sums.requests, grouped(sums.requests))),
    make("td.number", {}, value(sums.prompt_tokens, grouped(sums.prompt_tokens))),
    make("td.number", {}, value(sums.completion_tokens, grouped(sums.completion_tokens))),
    make("td.number", {}, make("strong", {}, value(sums.total_tokens, grouped(sums.total_tokens)))),
    make("td.number", {}, value(sums.cost?.total_cost ?? null, cost), ...more),
  ];
}

function mark(row) {
  if (row.unpriced_requests) {
    const title = `${grouped(row.unpriced_requests)} of ${grouped(row.requests)} calls have no known price: ringlet prices show MODEL`;
    return make("div", {}, make("span.badge.warn", { title }, "unpriced"));
  }
  return row.unbilled_requests ? make("div", {}, make("span.badge", { title: "A local or managed provider: not billed per token." }, "not billed")) : null;
}
