// What the viewer chose: period or dates, filters, and how two charts are shown. Kept in the address, so that it can be shared
// and gone back to, and between visits.

const KEPT = "ringlet.usage";

export const PERIODS = [
  ["24h", "24h"],
  ["today", "Today"],
  ["yesterday", "Yesterday"],
  ["week", "This Week"],
  ["month", "This Month"],
  ["7d", "Last 7 Days"],
  ["30d", "Last 30 Days"],
  ["all", "All Time"],
];

export const SOURCES = [
  ["chat", "Chat"],
  ["agent", "Agent"],
  ["memory", "Memory"],
];

const FIRST = "30d";
const FIELDS = ["period", "since", "until", "provider", "model", "profile", "source", "bucket", "rank"];
const NARROWING = ["provider", "model", "profile", "source"];

/** The choice as the address says; where it says nothing, that of the last visit. */
export function chosen() {
  const address = new URLSearchParams(location.search);
  return whole(FIELDS.some((field) => address.has(field)) ? Object.fromEntries(address) : remembered());
}

/** The choice with some fields changed. A period and dates exclude each other; another provider has other models. */
export function changed(choice, changes) {
  const next = { ...choice, ...changes };
  if (changes.period) next.since = next.until = null;
  if (changes.since || changes.until) next.period = null;
  if ("provider" in changes && !("model" in changes)) next.model = null;
  return whole(next);
}

/** Puts the choice into the address, as a step that can be gone back, and keeps it for the next visit. */
export function keep(choice, { step = true } = {}) {
  const given = Object.fromEntries(FIELDS.filter((field) => choice[field]).map((field) => [field, choice[field]]));
  const address = `${location.pathname}?${new URLSearchParams(given)}`;
  if (address !== location.pathname + location.search) history[step ? "pushState" : "replaceState"](null, "", address);
  try {
    localStorage.setItem(KEPT, JSON.stringify(given));
  } catch {
    // A browser that keeps nothing still shows the page.
  }
}

/** The filters of a question to the API: the range, the names, and the zone whose days the viewer lives in. */
export function question(choice) {
  const { period, since, until, provider, model, profile, source } = choice;
  return { period, since, until, provider, model, profile, source, tz: Intl.DateTimeFormat().resolvedOptions().timeZone };
}

/** Whether anything but the range is filtered. */
export function narrowed(choice) {
  return NARROWING.some((field) => choice[field]);
}

/** The changes that take all filters but the range away. */
export const WIDE = Object.fromEntries(NARROWING.map((field) => [field, null]));

function whole(given) {
  const choice = Object.fromEntries(FIELDS.map((field) => [field, given[field] || null]));
  const dated = choice.since || choice.until;
  if (dated) choice.period = null;
  else if (!PERIODS.some(([period]) => period === choice.period)) choice.period = FIRST;
  if (!SOURCES.some(([source]) => source === choice.source)) choice.source = null;
  if (choice.bucket !== "day" && choice.bucket !== "hour") choice.bucket = null;
  if (choice.rank !== "tokens") choice.rank = null;
  return choice;
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
