// Profiles: whose usage it is, by which rules, and what each has used in all.

import { get } from "../core/api.js";
import { heads, make, named, table, value } from "../core/dom.js";
import { ago, moment, tenths, usd } from "../core/figures.js";
import { section, shown } from "./page.js";

export function open(main) {
  return shown(main, "Profiles", "Whose usage it is. A changed rule changes history too: ringlet profiles map", async () => {
    const [{ profiles }, { rows }] = await Promise.all([get("/api/profiles"), get("/api/usage/rollup", { by: "profile", period: "all" })]);
    const used = new Map(rows.map((row) => [row.group.profile, row]));
    const names = [...new Set([...profiles.map((each) => each.name), ...used.keys()])];
    const lines = names.map((name) => line(name, profiles.find((each) => each.name === name), used.get(name)));
    const titles = heads("Profile", "Agent", "Provider", "Usage that is its own", "#Tokens", "#Cost", "#Last used");
    return section("All profiles, all time", table("All profiles", titles, make("tbody", {}, lines)));
  });
}

function line(name, profile, usage) {
  const rules = (profile?.rules ?? []).map((rule) => make("div", {}, told(rule)));
  return make(
    "tr",
    {},
    make("th.name", { scope: "row" }, make("a", { href: `/usage?${new URLSearchParams({ period: "all", profile: name })}` }, named(name))),
    make("td", {}, profile?.agent ?? usage?.agents.join(", ") ?? "-"),
    make("td", {}, profile?.provider ? [named(profile.provider), make("span.faint", {}, ` ${profile.billing}`)] : "-"),
    make("td.name", {}, rules.length ? rules : make("span.faint", {}, name === "default" ? "what no rule maps elsewhere" : "no rule")),
    make("td.number", {}, usage ? value(usage.total_tokens, tenths(usage.total_tokens)) : "-"),
    make("td.number", {}, usage ? value(usage.cost?.total_cost ?? null, usd(usage.cost?.total_cost)) : "-"),
    make("td.number", {}, usage?.last_used ? make("time", { datetime: usage.last_used, title: moment(usage.last_used) }, ago(usage.last_used)) : "-"),
  );
}

function told(rule) {
  const parts = [rule.agent ?? "any agent"];
  if (rule.home) parts.push(" in ", named(rule.home, "code"));
  if (rule.project) parts.push(", project ", named(rule.project, "code"));
  return parts;
}
