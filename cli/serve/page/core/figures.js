// How numbers, money and times are written; the same styles as on the command line (cli/figures.py).

const UNITS = ["K", "M", "B", "T"];

const GROUPED = new Intl.NumberFormat("en-US");

/** 1,234,567 */
export function grouped(number) {
  return GROUPED.format(number);
}

/** 45.0K, 1.5M: one decimal always, half up. */
export function tenths(number) {
  if (Math.abs(number) < 1000) return grouped(number);
  const size = Math.abs(number);
  for (let power = 1; ; power++) {
    const whole = 1000 ** power;
    const scaled = Math.floor((size * 20 + whole) / (2 * whole));
    if (scaled < 10000 || power === UNITS.length) {
      return `${number < 0 ? "-" : ""}${grouped(Math.floor(scaled / 10))}.${scaled % 10}${UNITS[power - 1]}`;
    }
  }
}

/** $1,234.57, half a cent up; less than half a cent is <$0.01, the unknown is -. */
export function usd(amount) {
  if (amount === null || amount === undefined) return "-";
  const text = rounded(Math.abs(amount), 2);
  if (amount !== 0 && Number(text) === 0) return "<$0.01";
  const [whole, cents] = text.split(".");
  return `${amount < 0 ? "-" : ""}$${GROUPED.format(BigInt(whole))}.${cents}`;
}

/** Money per something: below a dollar with four decimals, below a hundredth of a cent as <$0.0001. */
export function rate(amount) {
  if (amount === null) return "-";
  if (Math.abs(amount) >= 1 || amount === 0) return usd(amount);
  const text = rounded(Math.abs(amount), 4);
  return Number(text) === 0 ? "<$0.0001" : `${amount < 0 ? "-" : ""}$${text}`;
}

/** 3d 4h, 1h 05m, 12m, 8s */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(whole / unit));
  if (days) return `${days}d ${hours % 24}h`;
  if (hours) return `${hours}h ${String(minutes % 60).padStart(2, "0")}m`;
  return minutes ? `${minutes}m` : `${whole}s`;
}

/** How long a call took: 850 ms, 12.3 s, 2m 05s; - where the log does not say. */
export function span(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "-";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
}

/** 53%; <1% for what is almost nothing. */
export function share(part, whole) {
  if (!whole || part === null) return null;
  const percent = (100 * part) / whole;
  return part > 0 && percent < 0.5 ? "<1%" : `${Math.round(percent)}%`;
}

const STEPS = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** 3 minutes ago, yesterday. A time is RFC 3339 or milliseconds since 1970. */
export function ago(time, now = Date.now()) {
  const seconds = Math.round((new Date(time) - now) / 1000);
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.trunc(seconds / size), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : RELATIVE.format(seconds, "second");
}

const MOMENT = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "medium" });

/** May 13, 2026, 2:03:11 PM, in the viewer's zone. */
export function moment(time) {
  return MOMENT.format(new Date(time));
}

/** A decimal number with `decimals` decimals, half up by its written digits: 1.005 is 1.01, as on the command line. */
function rounded(amount, decimals) {
  const [mantissa, exponent = "0"] = String(amount).split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  const point = whole.length + Number(exponent);
  const digits = (point < 0 ? "0".repeat(-point) : "") + whole + fraction.padEnd(Math.max(0, decimals + 1 + Number(exponent)), "0");
  const cut = Math.max(point, 0) + decimals;
  const kept = BigInt(digits.padEnd(cut, "0").slice(0, cut) || "0") + (Number(digits[cut] || "0") >= 5 ? 1n : 0n);
  const text = String(kept).padStart(decimals + 1, "0");
  return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}
