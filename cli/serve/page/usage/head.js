// The head of the page: what it shows, the import, and Refresh with its mark that there is something new.

import { post } from "../core/api.js";
import { fill, make, visible } from "../core/dom.js";
import { grouped, moment } from "../core/figures.js";
import { told as troubled } from "../core/states.js";

/** `refresh` and `imported` are called when the page shall ask again. */
export function head({ refresh, imported }) {
  const said = make("p.said", {});
  const mark = make("span.new", { hidden: true }, "New data");
  const again = make("button.refresh", { type: "button", onclick: refresh }, "Refresh", mark);
  const bring = make("button", { type: "button", onclick: importing }, "Import Claude data");
  const progress = make("div", { role: "status", "aria-live": "polite" });
  const node = make(
    "div",
    {},
    make("div.head", {}, make("div", {}, make("h1", {}, "Usage"), said), make("div.acts", {}, bring, again)),
    progress,
  );
  const bar = make("progress", { "aria-label": "Import" });
  let seen = null;
  let coming = null;

  function busy(now) {
    again.disabled = now;
    again.setAttribute("aria-busy", String(now));
  }

  function told(usage) {
    seen = usage.seq;
    mark.hidden = coming === null || coming <= seen;
    const parts = [usage.period, `as of ${moment(usage.as_of)}`, usage.timezone];
    if (usage.quarantined) parts.push(`${grouped(usage.quarantined)} unreadable records set aside`);
    fill(said, parts.join(" · "), usage.complete ? null : make("span.badge.warn", { title: "An import runs, or some logs could not be read." }, "incomplete"));
  }

  function heard(news) {
    coming = news.seq;
    mark.hidden = seen === null || coming <= seen;
  }

  /** How far an import has come, in bytes. */
  function imports({ bytes_done: done, bytes_total: all }) {
    if (all) {
      bar.max = all;
      bar.value = done;
    }
  }

  async function importing() {
    bring.disabled = true;
    const began = Date.now();
    const spent = make("span", { "aria-hidden": "true" });
    const ticking = setInterval(() => fill(spent, ` ${Math.round((Date.now() - began) / 1000)} s`), 1000);
    fill(progress, make("div.card", {}, make("p", {}, "Importing what Claude Code has logged …", spent), bar));
    bar.removeAttribute("value");
    try {
      fill(progress, outcome(await post("/api/usage/import-claude"), close));
      await imported();
    } catch (trouble) {
      fill(progress, make("div.card", {}, troubled(trouble, { role: "alert" }), closing(close)));
    } finally {
      clearInterval(ticking);
      bring.disabled = false;
    }
  }

  function close() {
    fill(progress);
    bring.focus();
  }

  return { node, busy, told, heard, imports };
}

function outcome(done, close) {
  const lines = [
    `Read ${grouped(done.records)} records of calls from ${grouped(done.files)} files: ${grouped(done.new)} new, ${grouped(done.updated)} updated.`,
  ];
  if (done.quarantined) lines.push(`${grouped(done.quarantined)} records could not be read; ringlet doctor lists them.`);
  if (done.stopped) lines.push("The daemon ended meanwhile; import again to go on.");
  return make(
    "div.card",
    {},
    lines.map((line) => make("p", {}, line)),
    done.troubles.map((trouble) => make("p.trouble", {}, visible(trouble))),
    closing(close),
  );
}

function closing(close) {
  return make("button.plain", { type: "button", onclick: close }, "Close");
}
