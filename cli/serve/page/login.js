// Signing in: a one-time code from the address that the command line printed, or typed in.

import { post } from "./core/api.js";
import { told } from "./core/states.js";

const form = document.getElementById("login");
const trouble = document.getElementById("trouble");

async function enter(code) {
  form.elements.code.disabled = true;
  trouble.replaceChildren();
  try {
    await post("/api/login", { code });
    location.replace(next());
  } catch (failure) {
    trouble.replaceChildren(told(failure));
    form.elements.code.disabled = false;
    form.elements.code.focus();
  }
}

/** Where the viewer wanted to go: a page of ours and nothing else. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "";
  return /^\/(usage|profiles|prices|health)(\?|$)/.test(wanted) ? wanted : "/usage";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(form.elements.code.value.trim());
});

const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (code) {
  // Used up in a moment, and no business of the history.
  history.replaceState(null, "", location.pathname + location.search);
  enter(code);
} else {
  form.elements.code.focus();
}
