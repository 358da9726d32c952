// The frame that the parts of the page share: a card with a heading, and how it shows a failure of its own.

import { fill, heads, make, table } from "../core/dom.js";
import { told, waiting } from "../core/states.js";

/** A card headed `title`, with controls beside the title. `body` is where the content goes. */
export function part(title, { acts = [], name, lines = 4 }) {
  const id = `part-${name}`;
  const body = make("div.body", {}, waiting(lines));
  const node = make("section.card", { "aria-labelledby": id, "data-part": name }, make("div.top", {}, make("h2", { id }, title), ...acts), body);
  const fail = (trouble, again) =>
    fill(
      body,
      told(trouble, { role: "alert" }),
      make("button", { type: "button", onclick: again }, "Try again"),
    );
  return { node, body, fail };
}

/** The rows behind a chart as a table, for who cannot see or point; made when it is opened. `cells(row)` are a row's texts. */
export function behind(titles, cells) {
  let rows = [];
  const place = make("div", {});
  const node = make("details", { ontoggle: () => node.open && draw() }, make("summary", {}, "Show as a table"), place);
  const draw = () =>
    fill(
      place,
      table(
        "Values of the chart",
        heads(titles[0], ...titles.slice(1).map((title) => `#${title}`)),
        make("tbody", {}, rows.map((row) => line(cells(row)))),
      ),
    );
  const show = (given) => {
    rows = given;
    if (node.open) draw();
  };
  return { node, show };
}

function line([first, ...more]) {
  return make("tr", {}, make("th", { scope: "row" }, first), more.map((text) => make("td.number", {}, text)));
}

/** A list of what the colours mean: [[kind, text], …]. */
export function legend(entries) {
  return make("ul.legend", {}, entries.map(([kind, text]) => make("li", {}, make(`span.swatch.${kind}`), text)));
}
