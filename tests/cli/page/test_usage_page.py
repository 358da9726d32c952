"""The Usage page in a browser: it shows what `ringlet usage` tells, and one filter bar decides all of it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.cli.homes import called, mixed, reply, transcript
from tests.cli.page.browsing import Shown, choose, figure, period, seen, settled, shown

TODAY_MANY = 47


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, browser: Browser, drawn: Path) -> Iterator[Shown]:
    """Of a user with three profiles, three providers, all sources, and more than two pages of calls today."""
    home = tmp_path_factory.mktemp("home")
    mixed(home)
    lines = [reply(100 + n, f"2026-05-13T05:{n:02}:00Z", session=f"run-{n % 7}", project="/src/infra") for n in range(TODAY_MANY - 6)]
    transcript(home, "many", *lines)
    called(home, "2026-05-13T08:00:00Z", "heartbeat", 1)
    called(home, "2026-05-12T08:00:00Z", "memory", 2, tokens=70_000)
    called(home, "2026-04-20T08:00:00Z", "subagent", 3, tokens=90_000)
    with shown(home, browser, drawn) as found:
        yield found


@pytest.fixture
def page(daemon: Shown) -> Iterator[Page]:
    with daemon.page() as opened:
        yield opened
    assert daemon.troubles == []


def row(page: Page, part: str, name: str) -> list[str]:
    """The cells of the row that begins with a name."""
    found = page.locator(f"[data-part={part}] tr", has=page.get_by_role("rowheader", name=name, exact=True))
    return [cell.strip() for cell in found.first.locator("th, td").all_inner_texts()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("All Time", ["--period", "all"]),
        ("Today", ["--period", "today"]),
        ("Yesterday", ["--period", "yesterday"]),
        ("This Week", ["--period", "week"]),
        ("Last 7 Days", ["--period", "7d"]),
        ("24h", ["--period", "24h"]),
    ],
)
def test_numbers_are_those_of_the_command_line(daemon: Shown, page: Page, name: str, words: list[str]) -> None:
    """Cards, classes, profiles and models show exactly what `ringlet usage --json` tells of the same range."""
    period(page, name)
    told = daemon.told(*words)
    models = daemon.told("models", *words)["rows"]

    tokens: dict[str, int] = told["total_tokens"]
    assert figure(page, "requests") == told["total_requests"]
    assert figure(page, "tokens") == sum(tokens.values())
    assert figure(page, "cost") == pytest.approx(told["total_cost"]["total_cost"], abs=1e-12)
    assert figure(page, "sessions") == told["total_sessions"]
    assert figure(page, "runtime") == told["total_runtime_secs"]
    for kind, count in tokens.items():
        cell = page.locator(f"[data-class={kind}] data")
        assert cell.first.get_attribute("value") == str(count)
        part = re.sub("(_input)?_tokens", "_cost", kind)
        assert float(cell.last.get_attribute("value") or "nan") == pytest.approx(told["total_cost"][part], abs=1e-12)
    for profile, sums in told["aggregates"]["by_profile"].items():
        assert row(page, "profiles", profile)[4] == str(sums["sessions"])
        assert row(page, "profiles", profile)[2] == f"{sums['tokens']['output_tokens']:,}"
    # Two providers may have one model; the command line then has one row for both.
    shown: Counter[tuple[str, str]] = Counter()
    for line in page.locator("[data-part=models] tbody tr").all():
        name = line.locator("th bdi").inner_text()
        requests, _, _, tokens_in_all, _ = [data.get_attribute("value") or "0" for data in line.locator("data").all()]
        shown[name, "requests"] += int(requests)
        shown[name, "tokens"] += int(tokens_in_all)
    assert shown == Counter(
        {
            (each["model"], name): number
            for each in models
            for name, number in (("requests", each["requests"]), ("tokens", sum(each["tokens"].values())))
        }
    )


FILTERS: list[tuple[str, Any]] = [
    ("period", lambda page: period(page, "Today")),
    ("since", lambda page: dated(page, "From", "2026-05-12")),
    ("until", lambda page: dated(page, "Until", "2026-05-12")),
    ("provider", lambda page: choose(page, "Provider", "openai")),
    ("model", lambda page: choose(page, "Model", "claude-haiku-4-5-20251001")),
    ("profile", lambda page: choose(page, "Profile", "acme")),
    ("source", lambda page: choose(page, "Source", "agent")),
]


def dated(page: Page, label: str, day: str) -> None:
    page.get_by_label(label, exact=True).fill(day)
    page.get_by_label(label, exact=True).press("Tab")
    settled(page)


@pytest.mark.parametrize(("name", "narrow"), FILTERS, ids=[name for name, _ in FILTERS])
def test_every_filter_changes_every_part(page: Page, name: str, narrow: Any) -> None:
    """No part goes on showing what was chosen before."""
    period(page, "All Time")
    before = seen(page)
    narrow(page)
    after = seen(page)

    assert name in page.url
    assert [part for part in before if before[part] == after[part]] == []


def test_a_date_is_asked_for_when_it_is_whole(page: Page) -> None:
    """While a date is typed nothing is asked: on the way to 2026 there is a year 2."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "since=" in request.url else None)
    page.get_by_label("From", exact=True).press_sequentially("05122026")
    settled(page)

    assert asked
    assert all("since=2026-05-12" in url for url in asked)


def test_dates_that_do_not_go_together_are_told(page: Page) -> None:
    """An end before the beginning is answered by what mends it, and another choice leads on."""
    dated(page, "From", "2026-05-12")
    dated(page, "Until", "2026-05-11")
    expect(page.get_by_role("alert")).to_contain_text("exchange them")

    period(page, "Today")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_provider_has_its_own_models(page: Page) -> None:
    """Choosing a provider clears the model and offers only models that this provider has data for."""
    period(page, "All Time")
    models = page.get_by_label("Model", exact=True)
    choose(page, "Model", "mystery-9")
    choose(page, "Provider", "openai")

    assert models.input_value() == ""
    assert models.locator("option").all_inner_texts() == ["All models", "gpt-5.5"]
    assert "model=" not in page.url


def test_the_choice_is_kept(daemon: Shown, page: Page) -> None:
    """It stands in the address, Back goes to the one before, and the next visit begins with it."""
    period(page, "Yesterday")
    choose(page, "Profile", "default")
    assert "period=yesterday" in page.url
    assert "profile=default" in page.url

    page.goto(f"{daemon.url}/prices")
    page.goto(f"{daemon.url}/usage")
    settled(page)
    assert page.get_by_label("Profile", exact=True).input_value() == "default"
    assert page.get_by_role("radio", name="Yesterday").is_checked()

    period(page, "Today")
    page.go_back()
    settled(page)
    assert page.get_by_role("radio", name="Yesterday").is_checked()


def test_an_address_is_a_question(daemon: Shown, page: Page) -> None:
    """Whoever opens an address sees its range and filters, whatever the last visit was about; nonsense in it means the default."""
    page.goto(f"{daemon.url}/usage?since=2026-05-11&until=2026-05-11&profile=acme")
    settled(page)
    assert page.get_by_label("From", exact=True).input_value() == "2026-05-11"
    assert figure(page, "requests") == 2

    page.goto(f"{daemon.url}/usage?period=moon&source=cheese")
    settled(page)
    assert page.get_by_role("radio", name="Last 30 Days").is_checked()


def test_cards_say_what_a_day_and_a_request_come_to(page: Page) -> None:
    """Under the number stand requests per day of the range, prompt and completion, and cost per request."""
    period(page, "Last 7 Days")
    requests, cost = figure(page, "requests"), figure(page, "cost")
    under = {card: page.locator(f"[data-card={card}] .under").inner_text() for card in ("requests", "tokens", "cost")}

    assert under["requests"] == f"~{requests / 7:.0f} per day"
    assert under["tokens"].endswith(" completion")
    assert " prompt · " in under["tokens"]
    assert under["cost"] == f"~${cost / requests:.4f} per request"


def test_cards_have_their_names(page: Page) -> None:
    """The cards from left to right, and the chart of who asked."""
    assert page.locator(".card dt").all_inner_texts() == ["Requests", "Total Tokens", "Estimated Cost", "Avg / Call", "Sessions", "Runtime"]
    assert page.get_by_role("heading", name="Main Agent vs. Task Agent vs. Heartbeat").is_visible()


def test_seldom_is_not_never(page: Page) -> None:
    """One request in 30 days is less than one a day, not none."""
    dated(page, "From", "2026-04-14")
    choose(page, "Model", "mystery-9")

    assert figure(page, "requests") == 1
    assert page.locator("[data-card=requests] .under").inner_text() == "<1 per day"


def test_the_initiators_are_there_when_they_asked(page: Page) -> None:
    """Their chart is shown only where tasks or the heartbeat used tokens; on 11 May there was the main agent alone."""
    period(page, "Today")
    expect(page.locator("[data-part=initiators]")).to_be_visible()

    dated(page, "From", "2026-05-11")
    dated(page, "Until", "2026-05-11")
    expect(page.locator("[data-part=initiators]")).to_be_hidden()
    expect(page.locator("[data-part=daily]")).to_be_visible()


def test_models_stand_by_cost_with_their_share(page: Page) -> None:
    """The dearest first, each with its share; unpriced ones say $0.00 and that; the totals row has no share."""
    period(page, "Today")
    rows = [line.split("\t") for line in page.locator("[data-part=models] tbody").inner_text().split("\n") if "\t" in line]
    total = page.locator("[data-part=models] tfoot tr").inner_text()

    costs = [float(cells[-1].split(" ")[0].lstrip("$<").replace(",", "")) for cells in rows]
    assert costs == sorted(costs, reverse=True)
    assert "%)" in rows[0][-1]
    assert "%" not in total
    assert "$0.00" in row(page, "models", "mystery-9")[-1]
    assert "unpriced" in row(page, "models", "mystery-9")[-1]


def test_one_model_alone_has_no_share(page: Page) -> None:
    """All of the cost is its own anyway."""
    period(page, "All Time")
    choose(page, "Model", "claude-haiku-4-5-20251001")
    table = page.locator("[data-part=models]")

    assert table.locator("tbody tr").count() == 1
    assert "%" not in table.inner_text()


def test_records_come_in_pages_of_twenty(page: Page) -> None:
    """Twenty to a page, the latest first, with steps that end at the last page."""
    period(page, "Today")
    lines = page.locator("[data-part=records] tbody tr")
    steps = page.get_by_role("navigation", name="Pages of records")
    expect(lines).to_have_count(20)
    expect(steps).to_contain_text("Page 1 of 3")
    expect(steps.get_by_role("button", name="Previous")).to_be_disabled()
    first = lines.first.inner_text()

    steps.get_by_role("button", name="Next").click()
    expect(steps).to_contain_text("Page 2 of 3")
    assert lines.first.inner_text() != first
    steps.get_by_role("button", name="Last").click()
    expect(lines).to_have_count(TODAY_MANY - 40)
    expect(steps.get_by_role("button", name="Next")).to_be_disabled()


def test_steps_of_records_keep_the_keyboard(page: Page) -> None:
    """Whoever turns to the last or first page by keyboard stays among the steps, though the one that was used is no more to be had."""
    period(page, "Today")
    steps = page.get_by_role("navigation", name="Pages of records")
    for name, stays in (("Next", "Next"), ("Next", "First"), ("Previous", "Previous"), ("First", "Next")):
        before = steps.inner_text()
        steps.get_by_role("button", name=name).press("Enter")
        expect(steps).not_to_have_text(before, use_inner_text=True)
        expect(steps.get_by_role("button", name=stays)).to_be_focused()


def test_a_single_page_has_no_steps(page: Page) -> None:
    """What fits on one page says how much it is and offers no other page."""
    period(page, "All Time")
    choose(page, "Model", "claude-haiku-4-5-20251001")
    records = page.locator("[data-part=records]")

    expect(records.get_by_role("status")).to_have_text(re.compile(r"^[1-9]\d? records?$"))
    assert records.get_by_role("navigation").count() == 0


def test_records_are_found_by_name_while_typing(page: Page) -> None:
    """Each letter narrows them, by any part of the name; with one page left there are no steps."""
    period(page, "Today")
    lines = page.locator("[data-part=records] tbody tr")
    page.get_by_label("Search records by name").press_sequentially("LOCA")

    expect(lines).to_have_count(1)
    expect(lines.first).to_contain_text("local")
    expect(page.get_by_role("navigation", name="Pages of records")).to_have_count(0)
    page.get_by_label("Search records by name").fill("no such name")
    expect(page.locator("[data-part=records]")).to_contain_text("No record bears this name.")


def test_records_of_one_source(page: Page) -> None:
    """Each record bears the badge of its source, and the list beside the search shows those of one."""
    period(page, "Today")
    badges = page.locator("[data-part=records] tbody .badge")
    page.get_by_label("Source of the records").select_option("agent")

    expect(page.locator("[data-part=records] tbody tr")).to_have_count(3)
    assert set(badges.all_inner_texts()) == {"Agent"}

    page.get_by_label("Source of the records").select_option("memory")
    expect(page.locator("[data-part=records]")).to_contain_text("No record is of this source.")


def test_the_source_of_the_bar_holds_for_records(page: Page) -> None:
    """A source in the filter bar is the records' too, and gone with it."""
    period(page, "Today")
    own = page.get_by_label("Source of the records")
    choose(page, "Source", "chat")
    assert (own.input_value(), own.is_disabled()) == ("chat", True)

    choose(page, "Source", "")
    assert (own.input_value(), own.is_disabled()) == ("", False)


def test_cost_by_hour(page: Page) -> None:
    """Hours instead of days where the viewer wants them and the range is no longer than a month."""
    period(page, "Yesterday")
    page.get_by_role("radio", name="Hourly").check(force=True)
    settled(page)
    hours = seen(page)["cost"]
    assert "2026-05-12 08:00" in hours

    period(page, "All Time")
    assert page.get_by_role("radio", name="Hourly").is_disabled()
    assert page.get_by_role("radio", name="Daily").is_checked()


def test_consumers_are_ranked_by_cost_or_tokens(page: Page) -> None:
    """Another rank puts another consumer first: yesterday memory used most tokens, today one request cost most."""
    period(page, "This Week")
    first = page.locator("[data-part=consumers] li").first
    assert "$" in first.locator(".much").inner_text().split(" · ")[0]

    page.get_by_role("radio", name="Tokens").check(force=True)
    settled(page)
    assert "tokens" in first.locator(".much").inner_text().split(" · ")[0]
    assert "rank=tokens" in page.url


def test_a_chart_tells_who_points_at_it(page: Page) -> None:
    """Full date, prompt, completion and cost of the day under the pointer, in the page's own style."""
    period(page, "Today")
    page.locator("[data-part=daily] .drawn svg").hover()
    tooltip = page.locator("#tooltip")

    expect(tooltip).to_contain_text("Wednesday, May 13, 2026")
    expect(tooltip).to_contain_text("Est. cost")
    assert tooltip.evaluate("node => getComputedStyle(node).position") == "fixed"


def test_days_stand_in_their_order(page: Page) -> None:
    """From left to right, whatever range was shown before: days that are in both have no place of their own."""
    week = ["May 7", "May 8", "May 9", "May 10", "May 11", "May 12", "May 13"]
    for name in ("Yesterday", "Today", "Last 7 Days"):
        period(page, name)
    for part in ("daily", "initiators", "cost"):
        labels = page.locator(f"[data-part={part}] .drawn svg text", has_text="May").all()
        assert [label.text_content() for label in sorted(labels, key=left)] == week


@pytest.mark.parametrize("first", ["2026-05-01", "2026-04-13", "2026-02-01", "2026-01-20", "2025-05-13"])
def test_no_label_of_a_chart_is_cut_off(daemon: Shown, first: str) -> None:
    """Dates and amounts lie within their chart, however many days there are and whether or not their labels had to be turned."""
    for width in (1400, 700, 400):
        with daemon.page(f"/usage?since={first}&until=2026-05-13", viewport={"width": width, "height": 900}) as page:
            for part in ("daily", "initiators", "cost"):
                drawn = page.locator(f"[data-part={part}] svg")
                expect(drawn).to_be_visible()
                over = drawn.evaluate(
                    """drawn => {
                      const box = drawn.getBoundingClientRect();
                      const labels = [...drawn.querySelectorAll("text")].filter((text) => text.textContent);
                      const boxes = labels.map((label) => label.getBoundingClientRect());
                      return Math.max(...boxes.map((each) => Math.max(each.bottom - box.bottom, box.left - each.left)));
                    }"""
                )
                assert over <= 1, (part, width)


def left(label: Locator) -> float:
    box = label.bounding_box()
    return box["x"] if box is not None else -1.0


def test_days_are_the_viewers(daemon: Shown) -> None:
    """A browser in Tokyo sees Tokyo's days: its 13 May began at 15:00 UTC the day before."""
    with daemon.page(timezone_id="Asia/Tokyo") as page:
        period(page, "Today")

        assert figure(page, "requests") == daemon.told("--period", "today", "--tz", "Asia/Tokyo")["total_requests"]
        assert figure(page, "requests") != daemon.told("--period", "today")["total_requests"]


def test_whatever_agents_log_is_shown(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """Over all sample logs of all agents, years apart and odd as some are, the page says what the command line says."""
    samples = Path(__file__).parents[3] / "data-fixtures"
    homes = {agent.name: sorted(str(home) for home in agent.glob("*/home")) for agent in samples.iterdir() if agent.is_dir()}
    (tmp_path / "rl").mkdir(mode=0o700)
    (tmp_path / "rl" / "config.toml").write_text("[homes]\n" + "".join(f"{agent} = {paths}\n" for agent, paths in homes.items()))
    with shown(tmp_path, browser, drawn) as daemon, daemon.page() as page:
        period(page, "All Time")
        told = daemon.told("--period", "all")

        assert figure(page, "requests") == told["total_requests"] > 100
        assert figure(page, "tokens") == sum(told["total_tokens"].values())
        assert figure(page, "cost") == pytest.approx(told["total_cost"]["total_cost"], abs=1e-9)
        assert figure(page, "sessions") == told["total_sessions"]
        assert all(seen(page).values())
        assert page.get_by_role("alert").count() == 0
        assert daemon.troubles == []


def test_wide_numbers_and_names_keep_their_place(daemon: Shown) -> None:
    """On a small laptop a great cost stays inside its card, and a name of 300 letters leaves the cost beside it in sight."""
    long = "m" * 300

    def grown(route: Route) -> None:
        answer = route.fetch()
        text = re.sub('"total_cost":[0-9.]+,"other_cost"', '"total_cost":123456.78,"other_cost"', answer.text())
        route.fulfill(response=answer, body=text.replace("mystery-9", long))

    with daemon.page(None, viewport={"width": 1280, "height": 800}) as page:
        page.route("**/api/usage?*", grown)
        page.route("**/api/usage/rollup?*", grown)
        page.goto(daemon.login())
        settled(page)
        period(page, "All Time")
        cost = page.locator("[data-card=cost] .figure")
        expect(cost).to_have_text("$123,456.78")
        assert cost.evaluate("node => node.scrollWidth <= node.clientWidth && node.clientHeight < 40")
        expect(page.locator("[data-part=models]")).to_contain_text(long)
        assert page.locator("[data-part=models] .scroll").evaluate("node => node.scrollWidth <= node.clientWidth")
