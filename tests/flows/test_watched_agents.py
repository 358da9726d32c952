"""Agents whose logs are no growing lines alone, watched: a database's rows, a total that is written anew."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.daemons import ROOT, Home, until

FIXTURES = Path(__file__).resolve().parents[2] / "data-fixtures"
AT = "2026-09-01T09:00:00Z"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Home]:
    """A home with a turn of Grok Build, six rows of grok-cli and a session of Droid, and `ingest --watch` in it, which has read them."""
    home = Home(tmp_path)
    turns(home).parent.mkdir(parents=True)
    turns(home).write_text(turn("P1", 10))
    total(home).parent.mkdir(parents=True)
    total(home).write_text(settings(100))
    with closing(sqlite3.connect(tmp_path / ".grok/grok.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((FIXTURES / "grok/database/grok.db.sql").read_text())
    process = subprocess.Popen(home.command("ingest", "--watch"), env=home.env, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until(lambda: known(home) == {"grok": (7, 575), "droid": (1, 100)}, every=0.2)
        yield home
    finally:
        process.terminate()
        process.wait(120)


def known(home: Home) -> dict[str, tuple[int, int]]:
    """Requests and output by agent, as far as the watcher has read: asking reads nothing."""
    found = home.run("usage", "agents", "--period", "all", "--json", "--no-sync")
    rows = json.loads(found.out)["rows"] if found.code == 0 else []
    return {row["agent"]: (row["requests"], row["tokens"]["output_tokens"]) for row in rows}


def turns(home: Home) -> Path:
    return home.folder / ".grok/sessions/w/s-1/updates.jsonl"


def total(home: Home) -> Path:
    return home.folder / ".factory/sessions/d-1.settings.json"


def turn(prompt: str, output: int) -> str:
    usage = {"inputTokens": 0, "outputTokens": output, "modelUsage": {"grok-4.6": {"inputTokens": 0, "outputTokens": output}}}
    update = {"sessionUpdate": "turn_completed", "prompt_id": prompt, "usage": usage}
    return json.dumps({"timestamp": 1788253220, "params": {"sessionId": "s-1", "update": update}}) + "\n"


def settings(output: int) -> str:
    return json.dumps({"model": "claude-opus-4-8", "providerLockTimestamp": AT, "tokenUsage": {"inputTokens": 0, "outputTokens": output}})


def test_each_is_counted_while_it_is_written(watched: Home) -> None:
    """A new turn, a new row that stands in the `-wal` alone, and a total that grew are each read as they come."""
    with turns(watched).open("a") as file:
        file.write(turn("P2", 20))
    until(lambda: known(watched).get("grok") == (8, 595), every=0.2)
    with closing(sqlite3.connect(watched.folder / ".grok/grok.db")) as db:
        db.execute("INSERT INTO usage_events VALUES (20, 'c-1', 9, 'message', 'grok-4.6', 5, 1, 6, 1, '2026-09-03T00:00:00Z')")
        db.commit()
        until(lambda: known(watched).get("grok") == (9, 596), every=0.2)
    total(watched).write_text(settings(170))
    until(lambda: known(watched).get("droid") == (1, 170), every=0.2)
