"""How soon the Usage page shows numbers in a store of many calls, in a headless Chromium.

Aim: one second with 1 M calls until the cards are filled. A visit begins with a browser that keeps nothing of the page but its scripts, the
first of all with a daemon that was never asked. Beside it stand a refresh and another filter. Needs Chromium, and playwright from the
extra `test`.
"""

import json
import shutil
import statistics
import sys
from collections.abc import Callable

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import harness
from benchmarks.api import daemon
from benchmarks.rebuild_views import fill
from cli.paths import Paths
from cli.serve import state
from cli.serve.knock import login_code

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Under which names the system may have one. The first opens no windows, which cost the others a second of processor time each."""
_TIMES = """() => {
    window.seen = {};
    const look = () => {
        const now = performance.now();
        if (!('cards' in seen) && document.querySelector('[data-card=requests] data')) seen.cards = now;
        if (!('chart' in seen) && document.querySelector('[data-part=daily] .drawn svg')) seen.chart = now;
        if ('chart' in seen && document.querySelector('button.refresh:enabled')) {
            seen.all = now;
            observer.disconnect();
        }
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, attributes: true });
}"""


def visit(page: Page, url: str) -> dict[str, float]:
    """Milliseconds from the navigation to the first paint, the filled cards, the first chart, and all of it."""
    page.goto(url)
    page.wait_for_selector("button.refresh:enabled", timeout=60_000)
    page.wait_for_selector("[data-part=daily] .drawn svg")
    page.wait_for_timeout(50)
    found: dict[str, float] = page.evaluate("window.seen")
    paint: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    return {"paint": paint, **found}


_CHANGE = """() => {
    window.seen = {};
    const since = () => performance.now() - seen.began;
    for (const kind of ['click', 'change']) document.addEventListener(kind, () => { seen.began ??= performance.now(); }, true);
    const button = document.querySelector('button.refresh');
    const watch = (node, look) => new MutationObserver(look).observe(node, { subtree: true, childList: true, attributes: true });
    watch(document.querySelector('dl.cards'), () => { seen.cards ??= since(); });
    watch(button, () => { if (!button.disabled) seen.all ??= since(); });
}"""


def change(page: Page, act: Callable[[Page], None]) -> dict[str, float]:
    """Milliseconds from a click to the cards of the answer, and to all of it."""
    page.evaluate(_CHANGE)
    act(page)
    page.wait_for_timeout(20)
    page.wait_for_selector("button.refresh:enabled", timeout=60_000)
    found: dict[str, float] = page.evaluate("({ cards: seen.cards, all: seen.all })")
    return found


def measured(browser: Browser, running: state.Running, paths: Paths, rounds: int) -> dict[str, list[dict[str, float]]]:
    """What each kind of visit took, once per round."""
    found: dict[str, list[dict[str, float]]] = {}
    address = f"{running.url}/usage?period=all"
    for number in range(rounds):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{running.url}/login#code={login_code(running.url, paths)}")
        page.wait_for_selector("button.refresh")
        page.close()
        page = context.new_page()
        page.add_init_script(f"({_TIMES})()")
        found.setdefault("visit" if number else "visit, daemon never asked", []).append(visit(page, address))
        for name, act in ACTS.items():
            found.setdefault(name, []).append(change(page, act))
        context.close()
    return found


ACTS: dict[str, Callable[[Page], None]] = {
    "refresh": lambda page: page.get_by_role("button", name="Refresh").click(),
    "another model": lambda page: _second(page, "Model"),
    "another source": lambda page: _second(page, "Source"),
}


def _second(page: Page, label: str) -> None:
    page.locator("form.filters").get_by_label(label, exact=True).select_option(index=1)


def table(title: str, found: dict[str, list[dict[str, float]]]) -> str:
    """Medians in milliseconds, as Markdown."""
    lines = [title, "", "| | first paint ms | cards ms | first chart ms | all ms |", "|---|---|---|---|---|"]
    for name, rounds in found.items():
        cells = []
        for part in ("paint", "cards", "chart", "all"):
            times = [each[part] for each in rounds if part in each]
            cells.append(f"{statistics.median(times):,.0f}" if times else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = harness.arguments(__doc__, size=None, rounds=5)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls in the store (default: 1 million)")
    parser.add_argument("--days", type=int, default=400, help="days that they spread over (default: 400)")
    args = parser.parse_args()
    path = next((place for name in CHROMIUM if (place := shutil.which(name))), None)
    if path is None:
        print("no Chromium on this machine", file=sys.stderr)
        return 1
    store = args.work / f"store-{args.calls}-{args.days}"
    if not (store / "filled").exists():
        fill(store, args.calls, args.days)
        (store / "filled").touch()
    paths = Paths(str(store), str(store / "config.toml"))
    with daemon(store, args.work / "no-logs") as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = measured(browser, running, paths, args.rounds)
        browser.close()
    print(table(f"The Usage page over {args.calls:,} calls ({harness.machine()})", found))
    print(json.dumps({"cards_ms": [each["cards"] for each in found.get("visit", [])]}), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
