// Usage by profile.

import { fill, heads, make, named, table, value } from "../core/dom.js";
import { ago, duration, grouped, moment, usd } from "../core/figures.js";
import { part } from "./part.js";

export function profiles() {
  const { node, body, fail } = part("Profiles", { name: "profiles" });

  async function load(ask, question) {
    const { aggregates } = await ask("/api/usage", question);
    const rows = Object.values(aggregates.by_profile).map((each) =>
      make(
        "tr",
        { "data-profile": each.profile },
        make("th.name", { scope: "row" }, named(each.profile)),
        make("td.number", {}, value(each.prompt_tokens, grouped(each.prompt_tokens))),
        make("td.number", {}, value(each.completion_tokens, grouped(each.completion_tokens))),
        make("td.number", {}, value(each.cost?.total_cost ?? null, usd(each.cost?.total_cost))),
        make("td.number", {}, grouped(each.sessions)),
        make("td.number", {}, duration(each.runtime_secs)),
        make("td.number", {}, each.last_used ? make("time", { datetime: each.last_used, title: moment(each.last_used) }, ago(each.last_used)) : "-"),
      ),
    );
    const titles = heads("Profile", "#Prompt", "#Completion", "#Cost", "#Sessions", "#Runtime", "#Last used");
    fill(body, table("Profiles", titles, make("tbody", {}, rows)));
  }

  return { node, load, fail };
}
