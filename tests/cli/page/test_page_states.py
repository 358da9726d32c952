"""What the page does when there is nothing to show, when something fails, and when there is something new."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from pipeline.log import Log
from tests.cli.homes import called, mixed, reply, transcript
from tests.cli.page.browsing import Shown, choose, period, settled, shown, until


class News(msgspec.Struct):
    """What a daemon says when calls have arrived."""

    as_of: float
    seq: int
    new: int
    updated: int


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, browser: Browser, drawn: Path) -> Iterator[Shown]:
    """Of a user with some usage, and on 2 April a call that used nothing."""
    home = tmp_path_factory.mktemp("home")
    mixed(home)
    called(home, "2026-04-02T08:00:00Z", "main", 1, tokens=0)
    with shown(home, browser, drawn) as found:
        yield found


@pytest.fixture
def page(daemon: Shown) -> Iterator[Page]:
    with daemon.page() as opened:
        yield opened


def test_without_any_usage_the_page_says_only_that(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """No cards, no charts, no table, no filters: one sentence, and how usage would come."""
    with shown(tmp_path, browser, drawn) as empty, empty.page() as page:
        expect(page.get_by_role("status").filter(has_text="No token usage yet.")).to_be_visible()
        for gone in ("dl.cards", "form.filters", "[data-part=daily]", "[data-part=models]", "[data-part=records]"):
            expect(page.locator(gone)).to_be_hidden()

        # Usage that comes later is there after a refresh.
        transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
        page.get_by_role("button", name="Import Claude data").click()
        expect(page.locator("[data-card=requests] data")).to_have_text("1")


def test_without_usage_here_the_cards_say_zero(page: Page) -> None:
    """Cards stay, charts and tables give way to one sentence with advice, and its buttons lead out."""
    period(page, "Yesterday")
    choose(page, "Provider", "ollama")

    expect(page.get_by_text("No usage matches these filters.")).to_be_visible()
    expect(page.get_by_text("wider date range")).to_be_visible()
    assert page.locator("[data-card=requests] .figure").inner_text() == "0"
    assert page.locator("[data-card=cost] .figure").inner_text() == "$0.00"
    assert page.locator("[data-card=cost] .under").inner_text() == "—"
    for gone in ("[data-part=daily]", "[data-part=models]", "[data-part=records]"):
        expect(page.locator(gone)).to_be_hidden()

    page.locator(".empty").get_by_role("button", name="Clear filters").click()
    expect(page.locator("[data-part=models]")).to_be_visible()


def test_a_chart_without_data_says_so_in_its_place(daemon: Shown, page: Page) -> None:
    """Where calls used no token the chart's card stays, with a sentence in place of bars."""
    page.goto(f"{daemon.url}/usage?since=2026-04-02&until=2026-04-02")
    settled(page)

    expect(page.locator("[data-part=daily]")).to_contain_text("No daily usage to chart for the current filters.")
    expect(page.locator("[data-part=daily] svg")).to_have_count(0)
    expect(page.locator("[data-part=models]")).to_be_visible()


def test_lost_history_is_told_and_in_no_number(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """What Claude Code remembers beyond its logs stands under the cards, and in none of them."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    with shown(tmp_path, browser, drawn) as daemon, daemon.page() as page:
        usage = '"lost_history":{"tokens":5000000,"from":"2026-05-02","to":"2026-05-02"}'

        def with_loss(route: Route) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, body=answer.text().replace('"lost_history":null', usage))

        assert page.locator("p.note:visible").count() == 0
        page.route("**/api/usage?*", with_loss)
        page.get_by_role("button", name="Refresh").click()
        settled(page)
        expect(page.locator("p.note:visible")).to_contain_text("5.0M more tokens (2026-05-02)")


def test_refresh_asks_for_everything_once(page: Page) -> None:
    """It is disabled while it asks, it asks for every part, and without it nothing is asked."""
    held: list[Route] = []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/api")[2]))
    page.wait_for_timeout(600)
    assert asked == []

    page.route("**/api/usage?*", lambda route: held.append(route))
    button = page.get_by_role("button", name="Refresh")
    button.click()
    expect(button).to_be_disabled()
    until(page, lambda: bool(held))
    page.wait_for_timeout(100)
    assert len(held) == 1
    held[0].continue_()
    settled(page)

    paths = [path.partition("?")[0] for path in asked]
    for name in ("/usage", "/usage/filters", "/usage/series", "/usage/rollup", "/usage/top", "/usage/records"):
        assert name in paths
    assert len(asked) == len(set(asked))


def test_new_data_is_marked_and_not_taken(daemon: Shown, page: Page) -> None:
    """The mark lights up when calls have arrived; what is shown changes only with Refresh, which puts it out."""
    mark = page.get_by_text("New data", exact=True)
    before = page.locator("[data-card=requests]").inner_text()
    expect(mark).to_be_hidden()

    transcript(daemon.home, "newer", reply(900, "2026-05-13T11:30:00Z", session="s9"))
    daemon.told()
    with Log.open(daemon.home / "rl") as log:
        daemon.push.publish("usage", News(as_of=0.0, seq=log.position().seq, new=1, updated=0))
    expect(mark).to_be_visible()
    assert page.locator("[data-card=requests]").inner_text() == before

    page.get_by_role("button", name="Refresh").click()
    settled(page)
    assert page.locator("[data-card=requests]").inner_text() != before
    expect(mark).to_be_hidden()


def test_a_page_that_nobody_sees_does_not_listen(daemon: Shown) -> None:
    """Each listening page holds one of six connections that a browser opens to one host."""
    with daemon.page() as page:
        # Of pages that were closed before, the daemon hears a moment later.
        until(page, lambda: daemon.push.listening == 1)
        page.evaluate("""() => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
            document.dispatchEvent(new Event('visibilitychange'));
        }""")
        until(page, lambda: daemon.push.listening == 0)


def test_a_failure_says_what_mends_it(page: Page) -> None:
    """A part that fails says why beside the parts that do not, and tries again when it is asked to."""
    refused = '{"success": false, "error": {"code": "failed", "message": "the disk is full", "mend": "free some space"}}'
    page.route("**/api/usage/top?*", lambda route: route.fulfill(status=503, body=refused, content_type="application/json"))
    page.get_by_role("button", name="Refresh").click()
    settled(page)

    part = page.locator("[data-part=consumers]")
    expect(part.get_by_role("alert")).to_have_text("The disk is full. To mend it: free some space")
    expect(page.locator("[data-part=models] tbody tr").first).to_be_visible()
    page.unroute("**/api/usage/top?*")
    part.get_by_role("button", name="Try again").click()
    expect(part.locator("li").first).to_be_visible()


def test_without_charts_there_are_tables(daemon: Shown) -> None:
    """Where the charts cannot be drawn the page says so and has their values; Refresh tries again."""
    with daemon.page(None) as page:
        page.route("**/assets/vega.js", lambda route: route.abort())
        page.goto(daemon.login())
        settled(page)
        period(page, "All Time")
        part = page.locator("[data-part=daily]")
        expect(part.get_by_text("The chart could not be drawn")).to_be_visible()
        part.locator("summary").click()
        expect(part.get_by_role("rowheader", name="2026-05-13")).to_be_visible()

        page.unroute("**/assets/vega.js")
        page.get_by_role("button", name="Refresh").click()
        expect(part.locator("svg")).to_be_visible()
        expect(part.get_by_text("could not be drawn")).to_be_hidden()


def test_a_daemon_that_has_gone_is_named(page: Page) -> None:
    """Where nobody answers the page says so, with the command that starts the daemon."""
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("button", name="Refresh").click()

    expect(page.get_by_role("alert")).to_contain_text("ringlet daemon start")
    expect(page.get_by_role("button", name="Refresh")).to_be_enabled()


def test_an_import_tells_what_it_brought(daemon: Shown, page: Page) -> None:
    """The button starts it, is disabled meanwhile, and the page then shows what was new."""
    transcript(daemon.home, "imported", reply(901, "2026-05-13T11:40:00Z", session="s10"))
    before = page.locator("[data-card=requests]").inner_text()
    button = page.get_by_role("button", name="Import Claude data")
    button.click()

    expect(page.get_by_text("1 new")).to_be_visible()
    settled(page)
    assert page.locator("[data-card=requests]").inner_text() != before
    expect(button).to_be_enabled()


def test_an_import_of_nothing_says_where_it_looked(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """Where Claude Code left nothing the button says so, with the folders and what reads another one; the message can be closed."""
    with shown(tmp_path, browser, drawn) as empty, empty.page() as page:
        page.get_by_role("button", name="Import Claude data").click()
        told = page.get_by_role("alert")
        expect(told).to_contain_text(str(tmp_path / ".claude"))
        expect(told).to_contain_text("ringlet import claude --from PATH")

        page.get_by_role("button", name="Close").click()
        expect(told).to_have_count(0)


def test_only_the_last_choice_is_shown(page: Page) -> None:
    """An answer that comes after the next choice was made is not shown."""
    held: list[Route] = []
    page.route("**/api/usage?period=today*", lambda route: held.append(route))
    page.get_by_role("radio", name="Today", exact=True).check(force=True)
    until(page, lambda: bool(held))
    period(page, "All Time")
    shown_now = page.locator("dl.cards").inner_text()
    for route in held:
        route.abort()
    page.wait_for_timeout(200)

    assert page.locator("dl.cards").inner_text() == shown_now
    assert page.get_by_role("alert").count() == 0
