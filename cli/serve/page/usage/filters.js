// The one filter bar: a period or dates, provider, model, profile, source.

import { PERIODS, SOURCES, WIDE, narrowed } from "../core/choice.js";
import { fill, make } from "../core/dom.js";
import { choiceOf } from "../core/switch.js";

const EARLIEST = "2000-01-01";

/** `choose(changes)` is called with what the viewer changed. */
export function filterBar(choose) {
  const periods = choiceOf("Period", PERIODS, (period) => choose({ period }));
  const since = make("input", { type: "date", min: EARLIEST, onchange: () => dated() });
  const until = make("input", { type: "date", min: EARLIEST, onchange: () => dated() });
  const selects = {
    provider: select("provider", "All providers"),
    model: select("model", "All models"),
    profile: select("profile", "All profiles"),
    source: select("source", "All sources"),
  };
  const clear = make("button.plain", { type: "button", onclick: () => choose(WIDE) }, "Clear filters");
  const node = make(
    "form.card.filters",
    { "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    make("div.first", {}, periods.node, clear),
    labelled("From", since),
    labelled("Until", until),
    labelled("Provider", selects.provider),
    labelled("Model", selects.model),
    labelled("Profile", selects.profile),
    labelled("Source", selects.source),
  );
  offered(selects.source, SOURCES);

  function select(name, all) {
    return make("select", { name, onchange: (event) => choose({ [name]: event.target.value || null }) }, make("option", { value: "" }, all));
  }

  function dated() {
    // A date that is still being typed is none yet: 2026 begins as the year 2.
    if ([since, until].some((input) => !input.validity.valid)) return;
    const range = { since: since.value || null, until: until.value || null };
    choose(range.since || range.until ? range : { ...range, period: PERIODS.at(-1)[0] });
  }

  /** Marks what is chosen. */
  function set(choice) {
    periods.set(choice.period);
    since.value = choice.since ?? "";
    until.value = choice.until ?? "";
    for (const [name, control] of Object.entries(selects)) hold(control, choice[name]);
    clear.hidden = !narrowed(choice);
  }

  /** Offers the values that occur in the log. */
  function offer(values) {
    offered(selects.provider, values.providers.map((name) => [name, name]));
    offered(selects.model, values.models.map((name) => [name, name]));
    offered(selects.profile, values.profiles.map((name) => [name, name]));
  }

  return { node, set, offer };
}

function labelled(text, control) {
  control.id = `filter-${text.toLowerCase()}`;
  return make("div.field", {}, make("label", { for: control.id }, text), control);
}

/** Fills a list below its first entry, which means all; what is chosen stays. */
function offered(control, options) {
  const chosen = control.value;
  const [all] = control.options;
  fill(control, all, options.map(([value, text]) => make("option", { value }, text)));
  hold(control, chosen);
}

/** Chooses a value, also one that the log does not hold (any more): the address may name it. */
function hold(control, value) {
  if (value && ![...control.options].some((option) => option.value === value)) control.append(make("option", { value }, value));
  control.value = value ?? "";
}
