"""A daemon's page in a browser, for tests: whose home it shows, at which time, and what is to be seen."""

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, expect

from cli.paths import paths
from cli.serve import http
from cli.serve.access import Access
from cli.serve.push import Push
from cli.serve.service import Service
from cli.serve.state import Options
from pipeline import durable
from tests.cli.homes import NOON, ringlet
from tests.cli.served import QUIET, listening

PARTS = ("daily", "initiators", "cost", "sources", "breakdown", "consumers", "profiles", "models", "records")
"""The parts of the Usage page below its cards."""

_NOW = datetime.fromisoformat(NOON)
_PATIENCE_MS = 90_000
"""Bounds a wait that would have no end; how soon things happen is told by nobody here."""

expect.set_options(timeout=_PATIENCE_MS)


class Shown:
    """A daemon, and pages of it in a browser that is signed in."""

    def __init__(self, home: Path, port: int, access: Access, push: Push, service: Service, browser: Browser) -> None:
        self.home = home
        self.port = port
        self.push = push
        self.service = service
        self.troubles: list[str] = []
        """What the browser complained of."""
        self._access = access
        self._browser = browser
        self._signed_in: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def login(self, role: Any = "admin") -> str:
        """An address that signs in, once."""
        return f"{self.url}/login#code={self._access.code(role, time.time())}"

    @contextmanager
    def page(self, path: str | None = "/usage", *, role: str = "admin", **context: Any) -> Iterator[Page]:
        """A page at that path, signed in and settled; at None nothing is open yet."""
        if path is not None:
            context["storage_state"] = self._cookie(role)
        # What moves would have to be waited for.
        made = self._browser.new_context(**{"timezone_id": "UTC", "reduced_motion": "reduce", "locale": "en-US", **context})
        try:
            page = made.new_page()
            page.set_default_timeout(_PATIENCE_MS)
            page.clock.set_fixed_time(_NOW)
            page.on("pageerror", self._failed)
            page.on("dialog", self._asked)
            page.on("console", self._told)
            if path is not None:
                page.goto(self.url + path)
                if path.startswith("/usage") and role == "admin":
                    settled(page)
            yield page
        finally:
            made.close()

    def _failed(self, error: Error) -> None:
        self.troubles.append(str(error))

    def _told(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.troubles.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _cookie(self, role: str) -> Any:
        """What a browser keeps that has signed in."""
        if role not in self._signed_in:
            context = self._browser.new_context()
            page = context.new_page()
            page.set_default_timeout(_PATIENCE_MS)
            page.goto(self.login(role))
            page.wait_for_url(f"{self.url}/usage*")
            state: Any = context.storage_state()
            self._signed_in[role] = {"cookies": state["cookies"], "origins": []}
            context.close()
        return self._signed_in[role]

    def told(self, *argv: str) -> dict[str, Any]:
        """What `ringlet usage --json` tells."""
        outcome = ringlet(self.home, "usage", "--json", *argv)
        assert outcome.code == 0, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found


@contextmanager
def shown(home: Path, browser: Browser, drawn: Path) -> Iterator[Shown]:
    """The daemon of a user with this home, at noon of the tests' day."""
    environ = {"HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC"}
    where = paths(environ)
    durable.prepare_home(where.data, create=True)
    shutil.copytree(drawn, Path(where.data) / "cache", dirs_exist_ok=True)
    outcome = ringlet(home, "ingest")
    assert outcome.code in (0, 5), outcome.err
    access, push, service = Access(where), Push(), Service(where, environ, clock=_clock)
    service.condition = lambda: QUIET
    bound = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = bound.getsockname()[1]
    with listening(bound, lambda: http.application(service, access, push, Options(port=port))):
        yield Shown(home, port, access, push, service, browser)
        push.close()
    service.close()


def _clock() -> int:
    return int(_NOW.timestamp()) * 10**9


def until(page: Page, true: Callable[[], bool]) -> None:
    """Wait for it, while the browser tells what happens there."""
    end = time.monotonic() + _PATIENCE_MS / 1000
    while not true():
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def settled(page: Page) -> None:
    """Wait until nothing is in flight."""
    page.wait_for_selector("button.refresh:enabled")


def seen(page: Page) -> dict[str, str]:
    """What each part shows, the values behind charts included; of a part that is not there nothing."""
    for summary in page.query_selector_all("section details:not([open]) > summary"):
        if summary.is_visible():
            summary.click()
    found = {name: page.locator(f"[data-part={name}]").inner_text() for name in PARTS}
    return {"cards": page.locator("dl.cards").inner_text(), **found}


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a list of the filter bar."""
    page.locator("form.filters").get_by_label(label, exact=True).select_option(option)
    settled(page)


def period(page: Page, name: str) -> None:
    """Choose a period."""
    page.get_by_role("radio", name=name, exact=True).check(force=True)
    settled(page)


def figure(page: Page, card: str) -> float:
    """The exact number of a card."""
    return float(page.locator(f"[data-card={card}] data").get_attribute("value") or "nan")
