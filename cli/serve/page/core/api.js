// Asks the API. One place decides what a failure means: sign in again, not allowed, or a text with the command that mends it.

/** What the API refused, or could not be asked. */
export class Trouble extends Error {
  constructor(message, { status = 0, mend = null } = {}) {
    super(message);
    this.status = status;
    this.mend = mend;
  }

  /** Whether this user may never see the answer. */
  get forbidden() {
    return this.status === 403;
  }
}

/** The data of `GET path`; parameters that are null or empty are left out. Throws Trouble. */
export function get(path, parameters = {}, signal = undefined) {
  return asked(address(path, parameters), { signal });
}

/** The data of `POST path` with a JSON body. Throws Trouble. */
export function post(path, body = {}) {
  return asked(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** A path with its parameters. */
export function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** Leads to the login, which leads back here. Never resolves: the page is about to go. */
export function signIn() {
  const here = location.pathname + location.search;
  location.replace(address("/login", { next: here }));
  return new Promise(() => {});
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Trouble("ringlet's daemon does not answer.", { mend: "ringlet daemon start" });
  }
  if (response.status === 401 && location.pathname !== "/login") return signIn();
  let told;
  try {
    told = await response.json();
  } catch {
    throw new Trouble(`The daemon's answer could not be read (status ${response.status}).`, { status: response.status });
  }
  if (!told.success) {
    throw new Trouble(told.error?.message ?? "The daemon refused this.", { status: response.status, mend: told.error?.mend ?? null });
  }
  return told.data;
}
