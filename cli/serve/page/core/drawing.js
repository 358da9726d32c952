// Draws a chart from its definition (cli/charts.py) with the script bundle that the daemon serves. Colours come from the
// style sheet, so that light and dark look right.

import { fill, make } from "./dom.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");
const TOOLTIP = { id: "tooltip", disableDefaultStyle: true, offsetX: 14, offsetY: 14 };

let bundle = null;

/** A place for the chart `name`, which `label` describes to who cannot see it. `draw(rows)` shows rows, or shows others. */
export function canvas(name, label, kind = "div.canvas") {
  const node = make(kind, { role: "img", "aria-label": label });
  let view = null;
  let rows = [];
  let last = Promise.resolve();

  async function redraw() {
    const definition = await defined(name);
    view?.finalize();
    view = null;
    const held = make("div.drawn");
    fill(node, held);
    const { view: made } = await window.vegaEmbed(held, { ...coloured(definition), datasets: { rows } }, {
      mode: "vega-lite",
      renderer: "svg",
      ast: true,
      actions: false,
      defaultStyle: false,
      tooltip: TOOLTIP,
      config: theme(),
    });
    // Whether labels are turned hangs on the width that they leave: the room for them is only right when that is settled.
    await made.resize().runAsync();
    view = made;
  }

  const draw = (given) => {
    // One after the other, and each anew: a view that is given other rows keeps the days of those before in front of the others.
    rows = given;
    last = last.catch(() => {}).then(redraw);
    return last;
  };
  DARK.addEventListener("change", () => {
    if (view !== null) draw(rows);
  });
  return { node, draw };
}

/** Begins to fetch the bundle; whoever draws waits for it. */
export function prepare() {
  bundle ??= new Promise((resolve, reject) => {
    const script = make("script", { src: "/assets/vega.js", onload: resolve, onerror: () => reject(new Error("no script bundle")) });
    document.head.append(script);
  });
  // What failed once is tried again by the next chart that is drawn.
  bundle.catch(() => (bundle = null));
  return bundle;
}

const definitions = new Map();

async function defined(name) {
  if (!definitions.has(name)) definitions.set(name, fetched(`/assets/charts/${name}.json`));
  definitions.get(name).catch(() => definitions.delete(name));
  const [definition] = await Promise.all([definitions.get(name), prepare()]);
  return definition;
}

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`no chart at ${path}`);
  return response.json();
}

/** The definition with the colours of the style sheet, and without a legend: the page has its own beside the headings. */
function coloured(definition) {
  const style = getComputedStyle(document.documentElement);
  const params = definition.params.map((param) => {
    const colour = param.name.endsWith("_colour") ? style.getPropertyValue(`--${param.name.replace("_colour", "-fill")}`).trim() : "";
    return colour ? { ...param, value: colour } : param;
  });
  const layer = definition.layer?.map(bare);
  return { ...bare(definition), params, ...(layer ? { layer } : {}) };
}

function bare(marks) {
  const color = marks.encoding?.color;
  return color ? { ...marks, encoding: { ...marks.encoding, color: { ...color, legend: null } } } : marks;
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const [faint, line] = ["--faint", "--line"].map((name) => style.getPropertyValue(name).trim());
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent",
    font,
    padding: { left: 0, right: 4, top: 6, bottom: 2 },
    autosize: { type: "fit", contains: "padding", resize: true },
    axis: { labelColor: faint, gridColor: line, labelFontSize: 12, labelFont: font },
    view: { stroke: null },
  };
}
