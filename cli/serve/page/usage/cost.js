// Cost over time, by day or by hour.

import { grouped, usd } from "../core/figures.js";
import { choiceOf } from "../core/switch.js";
import { chartIn } from "./chart.js";
import { part } from "./part.js";

const MOST_HOURLY_DAYS = 31;
const SHORT = ["24h", "today", "yesterday"];

/** `context.choose` keeps which of the two the viewer wants. */
export function cost(context) {
  const buckets = choiceOf("Points of the cost chart", [["day", "Daily"], ["hour", "Hourly"]], (bucket) => context.choose({ bucket }));
  const { node, body, fail } = part("Cost over time", { name: "cost", acts: [buckets.node] });
  const chart = chartIn(body, {
    name: "cost",
    label: "Bars: estimated cost over time",
    titles: ["Time", "Cost", "Requests", "Tokens"],
    cells: (row) => [row.at.slice(0, 16).replace("T", " "), usd(row.cost), grouped(row.requests), grouped(row.total)],
  });

  async function load(ask, question, choice) {
    const { days } = await ask("/api/usage", question);
    const open = days <= MOST_HOURLY_DAYS ? ["day", "hour"] : ["day"];
    const wanted = choice.bucket ?? (SHORT.includes(choice.period) ? "hour" : "day");
    const bucket = open.includes(wanted) ? wanted : "day";
    buckets.set(bucket, open);
    buckets.node.title = open.length > 1 ? "" : `Hourly is for ranges of up to ${MOST_HOURLY_DAYS} days.`;
    const { points } = await ask("/api/usage/series", { ...question, bucket });
    const rows = points.map((point) => ({ at: point.start, cost: point.cost, requests: point.requests, total: point.total_tokens }));
    await chart.draw(rows.some((row) => row.cost > 0) ? rows : []);
  }

  return { node, load, fail };
}
