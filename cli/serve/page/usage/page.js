// The Usage page: its parts in their order, and when they ask. Any change of the filters asks for all of them again; nothing
// asks by itself.

import { Trouble, address, get } from "../core/api.js";
import { changed, chosen, keep, question } from "../core/choice.js";
import { make } from "../core/dom.js";
import { prepare } from "../core/drawing.js";
import { listen } from "../core/push.js";
import { failed, locked } from "../core/states.js";
import { breakdown } from "./breakdown.js";
import { cards } from "./cards.js";
import { consumers } from "./consumers.js";
import { cost } from "./cost.js";
import { daily } from "./daily.js";
import { nothing, nothingHere } from "./empty.js";
import { filterBar } from "./filters.js";
import { head } from "./head.js";
import { initiators } from "./initiators.js";
import { lostHistory } from "./lost.js";
import { models } from "./models.js";
import { profiles } from "./profiles.js";
import { records } from "./records.js";
import { sources } from "./sources.js";

/** Shows the page in `main`. */
export async function open(main) {
  const context = { choose, ask };
  const top = head({ refresh: () => load(), imported: () => load() });
  const bar = filterBar(choose);
  const summary = cards();
  const parts = [breakdown(), profiles(), daily(), initiators(), cost(context), sources(), consumers(context), models(), records(context)];
  const [classes, whose, days, initiated, spent, origins, most, table, calls] = parts;
  const details = make(
    "div.stack.stale",
    {},
    days.node,
    initiated.node,
    make("div.pair.wide", {}, spent.node, origins.node),
    make("div.pair", {}, classes.node, most.node),
    whose.node,
    table.node,
    calls.node,
    make("p.faint", {}, "Costs are estimates from list prices: a signal, not a bill."),
  );
  const lost = lostHistory();
  const notice = make("div.notice", {});
  const body = make("div.stack", {}, make("div.stale", {}, summary.node), lost.node, notice, details);
  main.append(top.node, bar.node, body);

  let choice = chosen();
  let flight = null;
  let placed = false;
  keep(choice, { step: false });

  /** What the API says, asked once per load however many parts need it. */
  function ask(path, parameters = {}) {
    const where = address(path, parameters);
    const { answers, abort } = flight;
    if (!answers.has(where)) {
      const answer = get(path, parameters, abort.signal);
      answers.set(where, answer);
      answer.catch(() => answers.delete(where));
    }
    return answers.get(where);
  }

  async function load() {
    flight?.abort.abort();
    const mine = { answers: new Map(), abort: new AbortController() };
    flight = mine;
    const asked = question(choice);
    bar.set(choice);
    top.busy(true);
    body.setAttribute("aria-busy", "true");
    try {
      // The cards first: they are what one looks for.
      const usage = ask("/api/usage", asked);
      const values = ask("/api/usage/filters", { provider: choice.provider, tz: asked.tz });
      const shown = usage.then((answer) => {
        if (flight === mine) summary.show(answer, choice);
      });
      const [totals, offered] = await Promise.all([usage, values, shown]);
      if (flight !== mine) return;
      bar.offer(offered);
      top.told(totals);
      lost.show(totals.lost_history);
      place(offered.recorded, totals.total_requests > 0);
      if (totals.total_requests > 0) {
        prepare().catch(() => {});
        await Promise.all(parts.map((part) => filled(part, asked, mine)));
      }
    } catch (trouble) {
      if (flight === mine && trouble.name !== "AbortError") fail(trouble);
    } finally {
      if (flight === mine) {
        top.busy(false);
        body.removeAttribute("aria-busy");
      }
    }
  }

  async function filled(part, asked, mine) {
    try {
      await part.load(ask, asked, choice);
    } catch (trouble) {
      if (flight !== mine || trouble.name === "AbortError") return;
      if (trouble.forbidden) throw trouble;
      part.fail(trouble, load);
    }
  }

  /** Shows what there is: all parts, only the cards, or only that there is nothing. */
  function place(recorded, matching) {
    placed = true;
    summary.node.hidden = bar.node.hidden = !recorded;
    details.hidden = !matching;
    notice.replaceChildren(...(!recorded ? [nothing()] : matching ? [] : [nothingHere(choice, choose)]));
  }

  function fail(trouble) {
    if (trouble.forbidden) {
      main.replaceChildren(locked());
      return;
    }
    const known = trouble instanceof Trouble ? trouble : new Trouble(`The page failed: ${trouble.message}`);
    notice.replaceChildren(failed(known, load));
    // Beside a failure stands what was shown before it, but no place that waits.
    if (!placed) details.hidden = summary.node.hidden = true;
  }

  function choose(changes) {
    choice = changed(choice, changes);
    keep(choice);
    return load();
  }

  addEventListener("popstate", () => {
    choice = chosen();
    load();
  });
  listen({ usage: top.heard, import: top.imports });
  await load();
}
