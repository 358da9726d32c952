// The frame of every page: which page the address names, where one is in the sidebar, signing out, and what is shown to who
// may not see a page.

import { post, signIn } from "./core/api.js";
import { fill, make } from "./core/dom.js";
import { failed } from "./core/states.js";

const PAGES = { "/usage": "usage/page.js", "/profiles": "pages/profiles.js", "/prices": "pages/prices.js", "/health": "pages/health.js" };

const main = document.getElementById("page");
const leave = document.getElementById("leave");

async function open() {
  const path = location.pathname;
  const link = document.querySelector(`.side nav a[href="${path}"]`);
  link.setAttribute("aria-current", "page");
  document.title = `${link.textContent} · ringlet`;
  leave.hidden = false;
  leave.addEventListener("click", async () => {
    await post("/api/logout").catch(() => {});
    signIn();
  });
  const page = await import(`./${PAGES[path]}`);
  await page.open(main);
}

open().catch((trouble) => fill(main, make("h1.unseen", {}, "ringlet"), failed(trouble, () => location.reload())));
