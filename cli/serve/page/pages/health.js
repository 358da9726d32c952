// Health: the daemon, the agents' logs, and whether everything adds up.

import { get } from "../core/api.js";
import { heads, make, named, table, visible } from "../core/dom.js";
import { ago, grouped, moment } from "../core/figures.js";
import { section, shown } from "./page.js";

const STATUS = { well: ["good", "All is well"], warnings: ["warn", "Warnings, no damage"], damage: ["bad", "There is damage: ringlet doctor --repair"] };

export function open(main) {
  return shown(main, "Health", "What ringlet reads, and whether every log line is accounted for.", async () => {
    const [daemon, { homes }, report] = await Promise.all([get("/api/daemon"), get("/api/agents"), get("/api/doctor")]);
    return [running(daemon), store(report), logs(homes)];
  });
}

function running(daemon) {
  return section(
    "Daemon",
    facts(
      ["Running since", moment(daemon.started_at * 1000)],
      ["Process", String(daemon.pid)],
      ["Watcher", daemon.importing ? `${daemon.watcher}, importing` : daemon.watcher],
      ["Events seen", grouped(daemon.events_seen)],
      ["Last event", daemon.last_event_at ? ago(daemon.last_event_at * 1000) : "none yet"],
    ),
    daemon.last_error ? make("p.trouble", {}, visible(daemon.last_error)) : null,
  );
}

function store(report) {
  const [kind, text] = STATUS[report.status];
  const findings = report.findings.map((each) =>
    make(
      "tr",
      {},
      make("td", {}, make(`span.badge.${{ note: "good", warning: "warn", damage: "bad" }[each.level]}`, {}, each.level)),
      make("td.name", {}, named(each.what), each.where ? make("div.faint.mono", {}, named(each.where)) : null),
      make("td.name", {}, each.mend ? named(each.mend, "code") : "-"),
    ),
  );
  return section(
    "Store",
    make("p", { role: "status" }, make(`span.badge.${kind}`, {}, text)),
    facts(["Calls", grouped(report.calls)], ["Segments", grouped(report.segments)], ["Rows not yet sealed", grouped(report.hot_rows)]),
    findings.length ? table("Findings", heads("Level", "What", "What mends it"), make("tbody", {}, findings)) : null,
  );
}

function logs(homes) {
  const empty = homes.filter((home) => !home.exists && !home.calls);
  const lines = homes.filter((home) => !empty.includes(home)).map((home) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, home.title),
      make("td.name.mono", {}, named(home.home)),
      make("td.number", {}, home.exists ? grouped(home.files) : "not there"),
      make("td.number", {}, grouped(home.calls)),
      make("td.number", {}, grouped(home.gone_files)),
      make("td.number", {}, home.last_written_at ? make("time", { datetime: home.last_written_at, title: moment(home.last_written_at) }, ago(home.last_written_at)) : "-"),
    ),
  );
  return section(
    "Agents' logs",
    table("Agents' logs", heads("Agent", "Home", "#Files", "#Calls", "#Files gone", "#Last written"), make("tbody", {}, lines)),
    empty.length ? make("p.faint", {}, "Also looked at, and not there: ", empty.flatMap((home, at) => [at ? ", " : "", named(home.home)])) : null,
  );
}

function facts(...pairs) {
  return make("dl.facts", {}, pairs.map(([term, said]) => make("div", {}, make("dt", {}, term), make("dd", {}, said))));
}
