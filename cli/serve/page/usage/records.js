// Every single call: filtered by source, searched by name, page by page.

import { SOURCES } from "../core/choice.js";
import { fill, heads, make, named, table, value } from "../core/dom.js";
import { ago, grouped, moment, rate, span, usd } from "../core/figures.js";
import { badge } from "./badge.js";
import { part } from "./part.js";

const PAUSE_MS = 180;

/** `context.ask` asks while nothing else changes. */
export function records(context) {
  const search = make("input", { type: "search", placeholder: "Search by name", "aria-label": "Search records by name", oninput: () => typed() });
  const source = make(
    "select",
    { "aria-label": "Source of the records", onchange: () => turn(1) },
    make("option", { value: "" }, "All sources"),
    SOURCES.map(([name, title]) => make("option", { value: name }, title)),
  );
  const { node, body, fail } = part("Usage records", { name: "records", acts: [make("div.narrow", {}, search, source)], lines: 8 });
  let asked = {};
  let page = 1;
  let waiting = null;
  let turns = 0;

  async function load(_ask, question, choice) {
    asked = question;
    page = 1;
    // The filter bar's source holds here too, and leaves nothing behind when it goes.
    source.value = choice.source ?? (source.disabled ? "" : source.value);
    source.disabled = choice.source !== null;
    await shown();
  }

  function typed() {
    clearTimeout(waiting);
    waiting = setTimeout(() => turn(1), PAUSE_MS);
  }

  async function turn(to, focus = null) {
    page = to;
    try {
      await shown();
      // On the first or last page the button that was used cannot be used again; whoever goes by keyboard stays among its neighbours.
      if (focus) (node.querySelector(`${focus}:enabled`) ?? node.querySelector("[data-turn]:enabled"))?.focus();
    } catch (trouble) {
      if (trouble.name !== "AbortError") fail(trouble, () => turn(page));
    }
  }

  async function shown() {
    const mine = ++turns;
    const answer = await context.ask("/api/usage/records", { ...asked, source: source.value || null, search: search.value.trim(), page });
    if (mine !== turns) return; // what was typed meanwhile is on its way
    const { rows, pages, total } = answer;
    const many = make("p", { role: "status" }, total === 1 ? "1 record" : `${grouped(total)} records`);
    const none = search.value.trim() ? "No record bears this name." : "No record is of this source.";
    const titles = heads("Source", "Name", "#Input", "#Output", "#Cost", "#Duration", "#Time");
    fill(
      body,
      rows.length ? table("Usage records", titles, make("tbody", {}, rows.map(line))) : make("p.empty", {}, none),
      make("div.turn", {}, many, pages > 1 ? steps(pages) : null),
    );
  }

  function steps(pages) {
    const step = (text, to, name) =>
      make("button", { type: "button", "data-turn": name, disabled: to < 1 || to > pages, onclick: () => turn(to, `[data-turn=${name}]`) }, text);
    return make(
      "nav.steps",
      { "aria-label": "Pages of records" },
      step("First", page > 1 ? 1 : 0, "first"),
      step("Previous", page - 1, "previous"),
      make("span", { "aria-current": "page" }, `Page ${grouped(page)} of ${grouped(pages)}`),
      step("Next", page + 1, "next"),
      step("Last", page < pages ? pages : pages + 1, "last"),
    );
  }

  return { node, load, fail };
}

function line(row) {
  return make(
    "tr",
    {},
    make("td", {}, badge(row.source) ?? "-"),
    make("th.name", { scope: "row" }, named(row.name), make("div.faint.mono", {}, named(row.model))),
    make("td.number", {}, value(row.prompt_tokens, grouped(row.prompt_tokens))),
    make("td.number", {}, value(row.completion_tokens, grouped(row.completion_tokens))),
    make("td.number", { title: row.cost_status.replace("_", " ") }, value(row.cost, row.cost !== null && row.cost < 1 ? rate(row.cost) : usd(row.cost))),
    make("td.number", {}, span(row.duration_ms)),
    make("td.number", {}, make("time", { datetime: row.at, title: moment(row.at) }, ago(row.at))),
  );
}
