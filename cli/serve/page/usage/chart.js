// What the charts over time share: the chart, the same values as a table, and what stands there when there is nothing to draw.

import { fill, make } from "../core/dom.js";
import { canvas } from "../core/drawing.js";
import { nothingToChart } from "./empty.js";
import { behind } from "./part.js";

/** A chart in `body`. `draw(rows)` shows rows, none where there is nothing; `cells(row)` are what the table says of one, under `titles`. */
export function chartIn(body, { name, label, titles, cells }) {
  const picture = canvas(name, `${label}. The values follow as a table.`);
  const table = behind(titles, cells);
  const broken = make("p.note", { role: "status", hidden: true }, "The chart could not be drawn; its values are in the table.");

  async function draw(rows) {
    if (!rows.length) {
      fill(body, nothingToChart());
      return;
    }
    fill(body, picture.node, broken, table.node);
    table.show(rows);
    try {
      await picture.draw(rows);
      broken.hidden = true;
    } catch (failure) {
      console.error(failure);
      broken.hidden = false;
    }
  }

  return { draw };
}
