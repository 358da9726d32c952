"""Odd names of files, folders, models, projects and sessions: read like any other, and never acted on by the terminal that shows them."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.escaped import escaped
from tests.cli.homes import reply
from tests.faults.users import ROOT, bound_by_modes, each, environ

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")

ODD = b"o\xff\x1b]0;owned\x07\n\xe2\x80\xaed"
"""Bytes that are no text, an escape sequence with its end, a newline, and a letter that turns the text's direction."""
COMMANDS = [
    ("ingest",),
    ("agents", "list"),
    ("doctor",),
    ("import", "claude"),
    ("usage", "models", "--period", "all"),
    ("usage", "projects", "--period", "all"),
    ("usage", "sessions", "--period", "all"),
    ("usage", "--model", "nobody"),
    ("views", "list"),
    ("profiles", "list"),
]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A user all of whose logs are odd: a call whose model, project and session hold escapes, a bad record, a shut folder, a link out."""
    folder = os.fsencode(tmp_path) + b"/" + ODD + b"/projects/" + ODD
    os.makedirs(folder + b"/shut" + ODD)
    line = reply(1, "2026-05-13T09:00:00Z", model="m\x1b[31m\n\ud83d", project="/p\x1b[2J\u202e", session="s\x1b[31m\n")
    doubtful = '{"type":"assistant","timestamp":"2026-05-13T09:00:00Z","message":{"usage":{"input_tokens":1,"output_tokens":-5}}}\n'
    with open(folder + b"/" + ODD + b".jsonl", "w") as file:
        file.write(line + doubtful)
    os.symlink(b"/", folder + b"/out" + ODD)
    os.chmod(folder + b"/shut" + ODD, 0)
    return environ(tmp_path, CLAUDE_CONFIG_DIR=os.fsdecode(os.path.dirname(os.path.dirname(folder))), TERM="dumb", COLUMNS="200")


def shown(env: dict[str, str], *commands: tuple[str, ...]) -> bytes:
    """What a terminal gets from `commands`, standard error included."""
    code = "import json, sys\nfrom cli import gate\nfor argv in json.loads(sys.argv[1]): gate.main(argv)"
    controller, terminal = pty.openpty()
    argv = [sys.executable, "-c", code, json.dumps(commands)]
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=bound_by_modes):
        os.close(terminal)
        parts = []
        try:
            while part := os.read(controller, 1 << 16):
                parts.append(part)
        except OSError:  # Linux says so when the last writer has gone
            pass
    os.close(controller)
    return b"".join(parts)


def test_nothing_odd_reaches_the_terminal(env: dict[str, str]) -> None:
    """On a terminal no command writes a control letter, a bidi mark or bytes that are no text, and none ends in a traceback."""
    text = shown(env, *COMMANDS).decode()

    assert "Traceback" not in text
    assert {letter for letter in text if not letter.isprintable()} <= {"\r", "\n"}
    assert text.count("o\\udcff\\x1b]0;owned\\x07\\n\\u202ed/projects/") >= 2
    assert "✓ 1 new call" in text
    assert "1 quarantined" in text
    assert "m\\x1b[31m\\n\ufffd" in text


def read(outcome: tuple[int, str]) -> Any:
    """The document that a command printed; what it complained of comes after it."""
    return json.JSONDecoder().raw_decode(outcome[1])[0]


def test_json_holds_odd_names_as_text(env: dict[str, str]) -> None:
    """JSON is UTF-8 whatever the names are: bytes that are no text stand as U+FFFD, control letters as JSON's own escapes."""
    commands = [("ingest",), ("agents", "list", "--json"), ("doctor", "--json"), ("usage", "models", "--period", "all", "--json")]
    _, agents, doctor, usage = each(env, commands, preexec_fn=bound_by_modes)

    found = read(agents)
    assert sum(row["calls"] for row in found) == found[0]["calls"] == 1
    assert found[0]["home"].endswith("/o\ufffd\x1b]0;owned\x07\n\u202ed")
    assert read(doctor)["quarantine"] == {"negative": 1}
    assert [row["model"] for row in read(usage)["rows"]] == ["m\x1b[31m\n\ufffd"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain and ünïcode 漢字", "plain and ünïcode 漢字"),
        ("\x1b[31m", "\\x1b[31m"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\udcff\ud83d", "\\udcff\\ud83d"),
    ],
)
def test_escapes_keep_what_a_letter_was(text: str, safe: str) -> None:
    """What a terminal would act on is shown as the escape that a programmer would write for it; the rest stays as it is."""
    assert escaped(text) == safe
