// What stands where there is nothing to show: a failure, a lock, an empty place, a wait.

import { make } from "./dom.js";

/** A failure with what mends it, and a button to try again; the lock where the viewer may not see this. */
export function failed(trouble, again) {
  if (trouble.forbidden) return locked();
  return make(
    "div.card",
    { role: "alert" },
    make("p.trouble", {}, trouble.message, trouble.mend ? [" ", make("code", {}, trouble.mend)] : []),
    make("p", {}, make("button", { type: "button", onclick: again }, "Try again")),
  );
}

/** The card for who may not see the page. */
export function locked() {
  return make(
    "section.card.empty.locked",
    { "aria-labelledby": "locked" },
    make("span.lock", { "aria-hidden": "true" }, "🔒"),
    make("h1", { id: "locked" }, "Admins only"),
    make("p", {}, "You are signed in as a viewer. This page is for the owner of this ringlet."),
    make("p", {}, "Sign out, then run ", make("code", {}, "ringlet daemon login"), " and open the address that it prints."),
  );
}

/** A card that says why there is nothing, with advice. */
export function empty(message, ...advice) {
  return make("section.card.empty", { role: "status" }, make("strong", {}, message), ...advice);
}

/** A place whose content is on its way. */
export function waiting(lines = 3) {
  return make("div.stack", { "aria-hidden": "true" }, Array.from({ length: lines }, () => make("div.waiting")));
}
