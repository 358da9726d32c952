// Tokens per day by who asked. There only where task agents or the heartbeat asked for anything.

import { grouped, usd } from "../core/figures.js";
import { chartIn } from "./chart.js";
import { legend, part } from "./part.js";

const NAMES = ["main", "task", "heartbeat"];

export function initiators() {
  const { node, body, fail } = part("Main Agent vs. Task Agent vs. Heartbeat", {
    name: "initiators",
    acts: [legend([["main", "Main Agent"], ["task", "Task Agent"], ["heartbeat", "Heartbeat"]])],
  });
  const chart = chartIn(body, {
    name: "initiators",
    label: "Stacked bars: tokens of the main agent, of task agents and of the heartbeat per day",
    titles: ["Day", "Main Agent", "Task Agent", "Heartbeat", "Est. cost"],
    cells: (row) => [row.at, ...NAMES.map((name) => grouped(row[name])), usd(row.cost)],
  });
  node.hidden = true;

  async function load(ask, question) {
    const { points } = await ask("/api/usage/series", { ...question, bucket: "day", by: "initiator" });
    const rows = points.map((point) => ({
      at: point.start,
      ...Object.fromEntries(NAMES.map((name) => [name, point.parts[name]?.total_tokens ?? 0])),
      total: point.total_tokens,
      cost: point.cost,
    }));
    node.hidden = !rows.some((row) => row.task > 0 || row.heartbeat > 0);
    if (!node.hidden) await chart.draw(rows);
  }

  return { node, load, fail };
}
