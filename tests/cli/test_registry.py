"""`ringlet registry` and `ringlet prices`, run as a person runs them, against a server of our own on this machine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from cli import gate
from cli.main import run

ROW = {"mode": "chat", "litellm_provider": "acme", "input_cost_per_token": 2e-06, "output_cost_per_token": 4e-06}


class PriceServer:
    """Serves one body with an ETag and counts what it was asked."""

    def __init__(self) -> None:
        self.body = json.dumps({"new-model": ROW}).encode()
        self.status = 200
        self.etag = '"one"'
        self.asked: list[str | None] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("If-None-Match"))
        if self.status == 200 and request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304)
        return web.Response(body=self.body, status=self.status, headers={"ETag": self.etag})


@pytest.fixture
def server() -> Iterator[PriceServer]:
    prices = PriceServer()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def start() -> None:
        app = web.Application()
        app.router.add_get("/prices.json", prices.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        prices.url = f"http://{host}:{port}/prices.json"
        ready.set()

    def serve() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(90)
    yield prices
    loop.call_soon_threadsafe(loop.stop)
    thread.join(90)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGLET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def kept(home: Path) -> dict[str, bytes]:
    folder = home / "prices"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_sync_adds_rows_and_says_what_it_did(server: PriceServer, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a sync a model that nobody listed has a price, for its past calls too."""
    assert run(["prices", "show", "new-model"]) == 3
    assert run(["registry", "sync", "--url", server.url]) == 0
    assert "1 new, 0 with other prices" in capsys.readouterr().out
    assert run(["prices", "show", "new-model", "--at", "2026-01-01", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert (shown["row"], shown["origin"], shown["usd_per_million"][0]["input"]) == ("new-model", "synced", "2")
    assert {"litellm-pricing.json", "synced.tsv", "sync.json"} == kept(home).keys()


def test_second_sync_asks_with_the_etag_and_force_without(server: PriceServer, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the server says is unchanged is not fetched again, unless forced."""
    for more in ([], [], ["--force"]):
        assert run(["registry", "sync", "--url", server.url, *more]) == 0

    assert server.asked == [None, '"one"', None]
    assert "Nothing new" in capsys.readouterr().out
    assert home.exists()


def test_lost_rows_are_fetched_again(server: PriceServer, home: Path) -> None:
    """Where the rows are gone, what the server says about its own file does not matter."""
    assert run(["registry", "sync", "--url", server.url]) == 0
    (home / "prices" / "synced.tsv").unlink()

    assert run(["registry", "sync", "--url", server.url]) == 0
    assert server.asked == [None, None]
    assert (home / "prices" / "synced.tsv").exists()


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>busy</html>"), (200, b"{}"), (200, b'{"a": '), (500, b"{}"), (404, b""), (204, b"")]
)
def test_bad_download_changes_nothing(
    server: PriceServer, home: Path, status: int, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed sync exits 1, says that the prices stay, and leaves every byte as it was."""
    assert run(["registry", "sync", "--url", server.url]) == 0
    before = kept(home)
    server.status, server.body, server.etag = status, body, '"two"'

    assert run(["registry", "sync", "--url", server.url]) == 1
    assert "prices stay as they are" in capsys.readouterr().err
    assert kept(home) == before


def test_server_that_is_not_there_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No connection is a failure with the address and what to do."""
    assert run(["registry", "sync", "--url", "http://127.0.0.1:9/prices.json"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert run(["registry", "sync", "--url", "ftp://127.0.0.1/prices.json"]) == 2
    assert "no http or https address" in capsys.readouterr().err
    assert kept(home) == {}


def test_rejected_rows_are_counted_and_named(server: PriceServer, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad row does not spoil the file, and is not passed over in silence."""
    server.body = json.dumps({"good": ROW, "bad-unit": ROW | {"input_cost_per_token": 2}}).encode()

    assert run(["registry", "sync", "--url", server.url]) == 0
    assert "1 row left out without a believable price: bad-unit" in capsys.readouterr().out
    assert run(["registry", "inspect"]) == 0
    assert "left out  bad-unit: input_cost_per_token is 2" in capsys.readouterr().out
    assert home.exists()


def test_file_and_offline_fetch_nothing(server: PriceServer, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file on this machine is read as if fetched; --offline uses what was fetched last, or says that nothing was."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"new-model": ROW}))

    assert run(["registry", "sync", "--offline"]) == 0
    assert "No price file was ever fetched" in capsys.readouterr().out
    assert run(["registry", "sync", "--file", str(path)]) == 0
    assert run(["registry", "sync", "--offline"]) == 0
    assert "0 new, 0 with other prices" in capsys.readouterr().out
    assert run(["registry", "sync", "--file", str(tmp_path / "missing.json")]) == 3
    assert server.asked == []
    assert home.exists()


CALL = {
    "type": "assistant",
    "uuid": "u1",
    "sessionId": "s1",
    "timestamp": "2026-03-20T10:00:00.000Z",
    "cwd": "/x",
    "version": "2.0.0",
    "requestId": "req_1",
    "message": {
        "id": "msg_1",
        "role": "assistant",
        "type": "message",
        "model": "claude-future-9",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1_000_000, "output_tokens": 1_000, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
    },
}


def test_sync_tells_which_months_cost_another_amount(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call of March whose model nobody listed costs $4.02 once it is listed at $4 and $20; the same file again changes nothing."""
    transcripts = tmp_path / "claude" / "projects" / "p"
    transcripts.mkdir(parents=True)
    (transcripts / "s1.jsonl").write_text(json.dumps(CALL) + "\n")
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"claude-future-9": ROW | {"input_cost_per_token": 4e-06, "output_cost_per_token": 2e-05}}))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gate.main(["usage", "--period", "all"]) == 0
    capsys.readouterr()

    assert run(["registry", "sync", "--file", str(prices)]) == 0
    assert "  2026-03  - -> $4.02" in capsys.readouterr().out.splitlines()
    assert run(["registry", "sync", "--file", str(prices)]) == 0
    assert "Nothing in your history costs another amount" in capsys.readouterr().out
    assert (home / "prices" / "synced.tsv").exists()


def test_inspect_names_the_folder_and_the_shipped_dates(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where prices lie and how old they are."""
    assert run(["registry", "inspect", "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["path"] == str(home / "prices")
    assert (facts["shipped"]["from"], facts["shipped"]["until"], facts["synced"]) == ("2024-12-02", "2026-11-16", None)


def test_show_tells_row_rule_and_rates(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which row, by which rule, since when, and every rate per million tokens below and above the threshold."""
    assert run(["prices", "show", "claude-sonnet-4", "--at", "2026-01-01", "--provider", "anthropic"]) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["input", "3", "6"] in lines
    assert ["output", "15", "22.5"] in lines
    assert ["cache_read", "0.3", "0.6"] in lines
    assert any("claude-sonnet-4-20250514" in line and "2025-09-29," in line for line in lines)
    assert ["rule", "alias", "since", "2025-05-22"] in lines
    assert not home.exists()


def test_session_in_the_documentation_is_what_is_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/prices.md shows a real session."""
    text = (Path(__file__).parents[2] / "docs" / "prices.md").read_text()
    command, _, expected = text.partition("$ ringlet ")[2].partition("```")[0].partition("\n")

    assert run(command.split()) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == expected.splitlines()
    assert not home.exists()


def test_show_reads_the_users_table(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row of config.toml prices its model and is named as the reason."""
    home.mkdir()
    (home / "config.toml").write_text('[tokenPriceTable."my-model"]\ninput = 1.25\noutput = 10\ncache_read = 0.125\n')

    assert run(["prices", "show", "my-model"]) == 0
    out = capsys.readouterr().out
    assert "your tokenPriceTable" in out
    assert ["cache_read", "0.125"] in [line.split() for line in out.splitlines()]


def test_show_of_what_is_no_model_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A placeholder has no price, and the message tells how to set one."""
    assert run(["prices", "show", "auto"]) == 3
    assert "names no model" in capsys.readouterr().err
    assert run(["prices", "show", "gpt-5", "--at", "tomorrow"]) == 2
    assert not home.exists()
