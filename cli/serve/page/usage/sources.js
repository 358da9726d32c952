// Cost by source: conversations, agent runs, memory.

import { SOURCES } from "../core/choice.js";
import { fill, make, value } from "../core/dom.js";
import { canvas } from "../core/drawing.js";
import { share, usd } from "../core/figures.js";
import { part } from "./part.js";

export function sources() {
  const { node, body, fail } = part("Cost by source", { name: "sources" });
  const picture = canvas("sources", "A ring: the share of each source in the cost. The values follow as a list.", "div.canvas.ring");

  async function load(ask, question) {
    const { rows } = await ask("/api/usage/rollup", { ...question, by: "source" });
    const found = SOURCES.map(([source, title]) => {
      const row = rows.find((each) => each.group.source === source);
      return { kind: source, source: title, cost: row?.cost?.total_cost ?? (row ? null : 0), requests: row?.requests ?? 0 };
    });
    const all = found.reduce((sum, each) => sum + (each.cost ?? 0), 0);
    const list = make(
      "ul.parts",
      {},
      found.map((each) =>
        make(
          "li",
          { "data-source": each.kind },
          make(`span.swatch.${each.kind}`),
          make("span.said", {}, each.source),
          make("span.faint", {}, all ? share(each.cost ?? 0, all) : ""),
          value(each.cost, usd(each.cost)),
        ),
      ),
    );
    fill(body, all > 0 ? picture.node : make("p.empty", { role: "status" }, "Nothing here has a cost."), list);
    // The list says it all: without the picture nothing is lost.
    if (all > 0) await picture.draw(found).catch((failure) => console.error(failure));
  }

  return { node, load, fail };
}
