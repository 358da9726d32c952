// What stands where there is nothing to show: a failure, a lock, an empty place, a wait.

import { make, visible } from "./dom.js";

/** A failure with what mends it, and a button to try again; the lock where the viewer may not see this. */
export function failed(trouble, again) {
  if (trouble.forbidden) return locked();
  return make(
    "div.card.failed",
    { role: "alert" },
    told(trouble),
    make("button", { type: "button", onclick: again }, "Try again"),
  );
}

/** What went wrong, and what mends it. */
export function told(trouble, attributes = {}) {
  const message = visible(trouble.message.slice(0, 1).toUpperCase() + trouble.message.slice(1));
  return make("p.trouble", attributes, message, trouble.mend ? visible(`${message.endsWith(".") ? "" : "."} To mend it: ${trouble.mend}`) : null);
}

/** The card for who may not see the page. */
export function locked() {
  return make(
    "section.card.empty.locked",
    { "aria-labelledby": "locked" },
    make("img", { src: "/assets/lock.svg", alt: "", width: 40, height: 40 }),
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
