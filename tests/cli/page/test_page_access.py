"""Who sees the page, and with what: logins, viewers, keyboards, screen readers, phones, the dark."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cli.homes import mixed
from tests.cli.page.browsing import Shown, settled, shown

PAGES = ("/usage", "/profiles", "/prices", "/health")
AXE = os.environ.get("AXE_SCRIPT")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, browser: Browser, drawn: Path) -> Iterator[Shown]:
    """Of a user with some usage."""
    home = tmp_path_factory.mktemp("home")
    mixed(home)
    with shown(home, browser, drawn) as found:
        yield found


def test_an_address_signs_in_once(daemon: Shown) -> None:
    """The code leads to the page and leaves the address; a second browser gets nowhere with it, and is told what to do."""
    address = daemon.login()
    with daemon.page(None) as page:
        page.goto(address)
        page.wait_for_url(f"{daemon.url}/usage*")
        assert "code" not in page.url
    with daemon.page(None) as other:
        other.goto(address)
        expect(other.get_by_role("alert")).to_contain_text("ringlet daemon login")
        assert other.url == f"{daemon.url}/login"


def test_a_code_can_be_typed(daemon: Shown) -> None:
    """Whoever has only the code types it; the page that was wanted opens."""
    with daemon.page(None) as page:
        page.goto(f"{daemon.url}/usage?period=today")
        page.wait_for_url("**/login?next=*")
        page.get_by_label("One-time code").fill(daemon.login().partition("=")[2])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{daemon.url}/usage?period=today")


def test_a_login_leads_to_pages_of_ours_only(daemon: Shown) -> None:
    """An address that would lead elsewhere after the login leads to the Usage page."""
    for elsewhere in ("https://evil.example/usage", "//evil.example/usage", "/usage.evil", "javascript:alert(1)"):
        with daemon.page(None) as page:
            page.goto(f"{daemon.url}/login?next={elsewhere}#{daemon.login().partition('#')[2]}")
            page.wait_for_url(f"{daemon.url}/usage*")


def test_signing_out_ends_the_session(daemon: Shown) -> None:
    """After it the page asks for a login again."""
    with daemon.page(None) as page:
        page.goto(daemon.login())
        page.get_by_role("button", name="Sign out").click()
        # The button and the news that nobody is signed in both lead there: one navigation may give way to the other.
        expect(page).to_have_url(re.compile(r"/login"))
        page.goto(f"{daemon.url}/usage")
        page.wait_for_url("**/login?next=*")


@pytest.mark.parametrize("path", ["/usage", "/profiles"])
def test_a_viewer_sees_a_lock(daemon: Shown, path: str) -> None:
    """The pages are the owner's: a viewer sees that, and no number."""
    with daemon.page(path, role="viewer") as page:
        expect(page.get_by_role("heading", name="Admins only")).to_be_visible()
        assert page.locator("data, table").count() == 0


def test_the_sidebar_leads_to_every_page(daemon: Shown) -> None:
    """Usage, Profiles, Prices and Health, each marked where one is, each with a heading and its content; / leads to Usage."""
    with daemon.page() as page:
        for name in ("Profiles", "Prices", "Health", "Usage"):
            page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
            expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
            expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
            expect(page.get_by_role("table").first).to_be_visible()
            assert page.title() == f"{name} · ringlet"
        page.goto(daemon.url)
        page.wait_for_url("**/usage*")


def test_profiles_lead_to_their_usage(daemon: Shown) -> None:
    """Each profile has its rules, what it used in all, and a way to the Usage page with it."""
    with daemon.page("/profiles") as page:
        line = page.get_by_role("row", name="acme")
        expect(line).to_contain_text("/src/acme")
        line.get_by_role("link", name="acme").click()
        settled(page)
        assert page.get_by_label("Profile", exact=True).input_value() == "acme"


def test_prices_are_of_a_day(daemon: Shown) -> None:
    """Models with calls and their rates per million tokens, today or on the day that is chosen; what has none says so."""
    with daemon.page("/prices") as page:
        expect(page.get_by_role("row", name="claude-sonnet-4-5-20250929").first).to_contain_text("$3.00")
        expect(page.get_by_role("row", name="mystery-9")).to_contain_text("no known price")


def test_health_says_what_is_not_well(daemon: Shown) -> None:
    """Daemon, store and agents' logs, with the state in a word and what it is about: a model without a price."""
    with daemon.page("/health") as page:
        for name in ("Daemon", "Store", "Agents' logs"):
            expect(page.get_by_role("heading", name=name)).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Warnings, no damage")
        expect(page.get_by_role("table", name="Findings")).to_contain_text("mystery-9")


def focused(page: Page) -> str:
    """What has the focus, by its words."""
    words: str = page.evaluate("""() => {
        const at = document.activeElement;
        return (at.getAttribute('aria-label') || at.labels?.[0]?.innerText || at.innerText || at.tagName).trim().split('\\n')[0];
    }""")
    return words


def test_everything_is_reached_by_keyboard(daemon: Shown) -> None:
    """Tab goes from the skip link through sidebar, buttons and filters in the order of the page, and what has the focus is seen."""
    with daemon.page() as page:
        reached = []
        for _ in range(17):
            page.keyboard.press("Tab")
            reached.append(focused(page))
            outline = page.evaluate("""() => {
                const at = document.activeElement;
                const styled = (node) => getComputedStyle(node).outlineStyle;
                return styled(at.closest('.switch label') ?? at) !== 'none';
            }""")
            assert outline, reached[-1]

    wanted = ["Skip to the content", "ringlet", "Usage", "Profiles", "Prices", "Health", "Sign out", "Import Claude data", "Refresh"]
    wanted += ["Last 30 Days", "From", "Until"]
    # A date has a part for month, day and year, and a button.
    assert [name for at, name in enumerate(reached) if at == 0 or name != reached[at - 1]][: len(wanted)] == wanted


def test_a_period_is_chosen_by_arrow_keys(daemon: Shown) -> None:
    """The periods are one stop of the Tab key, and the arrows choose among them."""
    with daemon.page() as page:
        page.get_by_role("radio", name="Last 30 Days").focus()
        page.keyboard.press("ArrowRight")
        settled(page)

        assert page.get_by_role("radio", name="All Time").is_checked()
        assert "period=all" in page.url
        assert focused(page) == "All Time"


def test_the_skip_link_leads_to_the_content(daemon: Shown) -> None:
    """The first stop leads past the sidebar."""
    with daemon.page() as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        assert page.evaluate("document.activeElement.id") == "page"


def test_charts_have_words_and_a_table(daemon: Shown) -> None:
    """A chart is named for who cannot see it, and its values are a table that opens by keyboard."""
    with daemon.page() as page:
        part = page.locator("[data-part=daily]")
        expect(part.get_by_role("img", name="prompt and completion tokens per day")).to_be_visible()
        part.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(part.get_by_role("rowheader", name="2026-05-13")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_one_way(daemon: Shown, path: str) -> None:
    """At the width of a phone nothing stands beyond the right edge; wide tables scroll in their own place."""
    with daemon.page(path, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as page:
        expect(page.get_by_role("table").first).to_be_visible()

        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_dark_is_dark(daemon: Shown) -> None:
    """Ground, text and bars follow the system's choice, also while the page is open."""
    ground = "getComputedStyle(document.body).backgroundColor.slice(4, -1).split(',').map(Number).reduce((a, b) => a + b)"
    with daemon.page() as page:
        bar = page.locator("[data-part=daily] .mark-rect path").first
        light, before = page.evaluate(ground), bar.get_attribute("fill") or ""
        bright = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")

        expect(bar).not_to_have_attribute("fill", before)
        assert light > 600
        expect(page.locator("body")).not_to_have_css("background-color", bright)
        assert page.evaluate(ground) < 150


@pytest.mark.skipif(not AXE, reason="axe-core is not here: .ci/run fetches it and names it in AXE_SCRIPT")
@pytest.mark.parametrize(
    ("path", "scheme", "width"),
    [
        *((path, "light", 1280) for path in PAGES),
        *((path, "dark", 390) for path in ("/usage?period=all", "/usage?since=2027-01-01", "/usage?model=none", "/login", "viewer")),
        ("/usage?period=all", "light", 1280),
        (PAGES[-1], "dark", 390),
    ],
)
def test_axe_finds_nothing(daemon: Shown, path: str, scheme: str, width: int) -> None:
    """No page has an issue for axe-core (contrast, names, roles, landmarks): full, empty, failed, locked, wide, narrow, light, dark."""
    role = "viewer" if path == "viewer" else "admin"
    asked = None if path == "/login" else "/usage" if path == "viewer" else path
    with daemon.page(asked, role=role, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        if path == "/login":
            page.goto(f"{daemon.url}/login")
            page.get_by_label("One-time code").fill("wrong")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_contain_text("ringlet daemon login")
        elif path == "viewer":
            expect(page.get_by_role("heading", name="Admins only")).to_be_visible()
        elif "?" in path:
            for summary in page.query_selector_all("section details > summary"):
                if summary.is_visible():
                    summary.click()
        else:
            expect(page.get_by_role("table").first).to_be_visible()
        page.evaluate(Path(AXE or "").read_text())
        found = page.evaluate("async () => (await axe.run()).violations.map(({id, impact, nodes}) => [impact, id, nodes.map(n => n.html)])")

    assert found == []
