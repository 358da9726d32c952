// Tokens per day: prompt below, completion above.

import { grouped, usd } from "../core/figures.js";
import { chartIn } from "./chart.js";
import { legend, part } from "./part.js";

export function daily() {
  const { node, body, fail } = part("Daily token volume", {
    name: "daily",
    acts: [legend([["prompt", "Prompt"], ["completion", "Completion"]])],
  });
  const chart = chartIn(body, {
    name: "tokens",
    label: "Stacked bars: prompt and completion tokens per day",
    titles: ["Day", "Prompt", "Completion", "Est. cost"],
    cells: (row) => [row.at, grouped(row.prompt), grouped(row.completion), usd(row.cost)],
  });

  async function load(ask, question) {
    const { points } = await ask("/api/usage/series", { ...question, bucket: "day" });
    const rows = points.map((point) => ({
      at: point.start,
      prompt: point.prompt_tokens,
      completion: point.completion_tokens,
      total: point.total_tokens,
      cost: point.cost,
    }));
    await chart.draw(rows.some((row) => row.total > 0) ? rows : []);
  }

  return { node, load, fail };
}
