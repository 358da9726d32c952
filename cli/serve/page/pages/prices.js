// Prices: what each model that has calls costs today, or on another day, and where that is known from.

import { get } from "../core/api.js";
import { fill, heads, make, named, table } from "../core/dom.js";
import { failed } from "../core/states.js";
import { section, shown } from "./page.js";

const CLASSES = ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"];
const ORIGINS = { shipped: "shipped history", corrected: "shipped, corrected", synced: "registry sync", table: "your tokenPriceTable" };

export function open(main) {
  return shown(main, "Prices", "US dollars per million tokens. A call is priced as of its own day.", async () => {
    const body = make("div", {});
    const day = make("input", { type: "date", onchange: () => show() });
    const show = async () => {
      try {
        fill(body, listed(await get("/api/prices", { at: day.value })));
      } catch (trouble) {
        if (trouble.forbidden) throw trouble;
        fill(body, failed(trouble, show));
      }
    };
    await show();
    return section("Models with calls", make("label.field.day", {}, "As of", day), body);
  });
}

function listed({ prices, prices_until: until }) {
  if (!prices.length) return make("p.empty", { role: "status" }, "No model has a call yet.");
  const titles = heads("Model", "Billing", "#Input", "#Output", "#Cache read", "#Cache write 5m", "#Cache write 1h", "Known from");
  return [
    table("Prices", titles, make("tbody", {}, prices.flatMap(lines))),
    make("p.faint", {}, `The newest list is of ${until}. Newer ones: `, make("code", {}, "ringlet registry sync")),
  ];
}

function lines(price) {
  const name = make("th.name.mono", { scope: "row" }, named(price.model), price.provider ? make("div.faint", {}, named(price.provider)) : null);
  const billing = make("td", {}, price.billing);
  if (!price.known) {
    const unknown = price.billing === "metered" ? make("span.badge.warn", {}, "no known price") : make("span.faint", {}, "not billed per token");
    return [make("tr", {}, name, billing, make("td", { colspan: CLASSES.length + 1 }, unknown))];
  }
  return price.rates.map((rate, at) =>
    make(
      "tr",
      {},
      at ? make("td.faint", { colspan: 2 }, `prompts over ${rate.prompt_over.toLocaleString("en-US")}`) : [name, billing],
      CLASSES.map((kind) => make("td.number", {}, dollars(rate[kind]))),
      make("td.name.faint", { title: price.rule }, at ? "" : `${ORIGINS[price.origin] ?? price.origin}${price.from ? `, since ${price.from}` : ""}`),
    ),
  );
}

function dollars(amount) {
  return `$${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 })}`;
}
