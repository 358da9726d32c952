"""Importing by command: what a person types, reads and finds afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.main import run
from pipeline import durable
from pipeline.log import Log
from pipeline.profiles import Rules

ROOT = Path(__file__).resolve().parents[2]


def reply(number: int, *, day: str = "2026-03-01", output: int = 100) -> str:
    usage = {"input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    message = {"id": f"msg_{number}", "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn", "usage": usage}
    line = {"type": "assistant", "timestamp": f"{day}T12:00:0{number}.000Z", "sessionId": "s-1", "cwd": "/w/app", "version": "2.1.240"}
    return json.dumps({**line, "requestId": f"req_{number}", "message": message}) + "\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with two Claude Code transcripts: three calls of 10 tokens in and 100 out, on March 1 and May 12, 2026."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RINGLET_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("TZ", "UTC")
    folder = tmp_path / ".claude/projects/-w-app"
    folder.mkdir(parents=True)
    (folder / "s-1.jsonl").write_text('{"type": "user"}\n' + reply(1) + reply(2))
    (folder / "s-2.jsonl").write_text(reply(3, day="2026-05-12"))
    return tmp_path


def calls(home: Path) -> int:
    with Log.open(home / "store") as log:
        return len(list(log.calls(0, 2**23)))


def test_an_import_prints_what_was_read_whose_it_is_and_what_it_cost(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three lines. Sonnet 4.5 costs 3 dollars a million in and 15 out: 3 x (10 x 3 + 100 x 15) / 10^6 = 0.00459."""
    assert run(["import", "claude", "--to", "work"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "✓ Read 3 events from ~/.claude/projects (2 files, 3 records; 3 new)",
        "✓ Attributed to profile 'work'",
        "✓ Cost reconstructed: <$0.01 (Mar 1 → May 12, 2026)",
    ]


def test_years_are_told_where_they_differ(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call of New Year's Eve 2025: then the first day has its year as well."""
    (home / ".claude/projects/-w-app/s-0.jsonl").write_text(reply(9, day="2025-12-31"))

    run(["import", "claude"])
    assert "(Dec 31, 2025 → May 12, 2026)" in capsys.readouterr().out


def test_an_import_lists_what_only_statistics_remember(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens beyond the known calls are listed by day and model: of March 1 two calls, 220 tokens, are known and 1,220 remembered."""
    gone = [{"date": f"2026-02-{day:02}", "tokensByModel": {"claude-opus-4-5": 7}} for day in range(1, 11)]
    days = [*gone, {"date": "2026-03-01", "tokensByModel": {"claude-sonnet-4-5-20250929": 1220}}]
    (home / ".claude/stats-cache.json").write_text(json.dumps({"version": 1, "dailyModelTokens": days}))

    assert run(["import", "claude"]) == 0

    assert capsys.readouterr().out.splitlines()[-12:] == [
        "  1,070 further tokens stand in Claude Code's stats-cache.json alone, their transcripts are gone: ringlet doctor",
        *(f"    2026-02-{day:02}  claude-opus-4-5  7 tokens" for day in range(1, 11)),
        "    and 1 more (ringlet doctor --json)",
    ]


def test_the_profile_is_made_and_keeps_the_home(home: Path) -> None:
    """`--to` makes the profile and maps the home to it, for what was read before and for what comes."""
    run(["ingest"])
    run(["import", "claude", "--to", "work"])

    rules = Rules.load(home / "store/profiles.json")
    assert "work" in rules.names()
    assert rules.profile_of("claude", str(home / ".claude"), "/w/app") == "work"


def test_twice_is_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second import adds nothing and says so, and one of a copied tree neither."""
    run(["import", "claude"])
    run(["import", "claude"])
    assert "3 records; nothing new" in capsys.readouterr().out
    subprocess.run(["cp", "-r", home / ".claude", home / "backup"], check=True)

    assert run(["import", "claude", "--from", str(home / "backup")]) == 0

    assert calls(home) == 3
    out = capsys.readouterr().out
    assert "✓ Read 0 events from ~/backup (2 files, 3 records; nothing new)" in out
    assert "✓ Cost reconstructed: <$0.01 (Mar 1 → May 12, 2026; all of Claude Code in profile 'default')" in out


def test_a_copy_moves_nothing_and_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls keep the home that they were first read from: a copy with one more call brings that one, and says whose the others are."""
    run(["ingest"])
    subprocess.run(["cp", "-r", home / ".claude", home / "backup"], check=True)
    capsys.readouterr()
    told = []
    for more in ([], ["--dry-run"]):
        run(["import", "claude", "--from", str(home / "backup"), "--to", "work", *more])
        told.append(capsys.readouterr().out.splitlines()[1:3])
    (home / "backup/projects/-w-app/s-4.jsonl").write_text(reply(4))
    for more in (["--dry-run"], [], []):
        run(["import", "claude", "--from", str(home / "backup"), "--to", "work", *more])
        told.append(capsys.readouterr().out.splitlines()[1:3])

    stay = (
        "  known from another home before, and staying there: 3 calls in profile 'default' (whose a home is, ringlet profiles map decides)"
    )
    assert told == [
        ["Attributed nothing to profile 'work'", stay],
        ["Would attribute nothing to profile 'work'", stay],
        ["Would attribute 1 call to profile 'work'", stay],
        ["✓ Attributed 1 call to profile 'work'", stay],
        ["✓ Attributed 1 call to profile 'work'", stay],
    ]


def test_a_file_or_folder_inside_a_home_can_be_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--from` takes a home, a folder in it, or one transcript; nothing else is read."""
    run(["import", "claude", "--from", str(home / ".claude/projects/-w-app/s-2.jsonl")])
    assert "Read 1 event from ~/.claude/projects/-w-app/s-2.jsonl (1 file, 1 record; 1 new)" in capsys.readouterr().out

    run(["import", "claude", "--from", "~/.claude/projects"])
    assert calls(home) == 3


@pytest.mark.parametrize("asked", ["backup", "backup/s-9.jsonl"])
def test_loose_log_files_can_be_imported(home: Path, asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has nothing but log files in a folder names it, or one of them; a prompt history beside them is never read."""
    folder = home / "backup"
    folder.mkdir()
    (folder / "s-9.jsonl").write_text(reply(9))
    (folder / "history.jsonl").write_text(reply(8))

    assert run(["import", "claude", "--from", str(home / asked)]) == 0
    assert "Read 1 event from ~/backup" in capsys.readouterr().out
    assert calls(home) == 1


def test_a_renamed_opencode_store_can_be_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of OpenCode's JSON store is known by its folders of messages, whatever is above them: named itself, or what holds it."""
    message = {"id": "msg_1", "sessionID": "ses_1", "role": "assistant", "modelID": "gpt-5", "providerID": "openai", "finish": "stop"}
    counts = {
        "time": {"created": 1_770_000_000_000},
        "tokens": {"input": 10, "output": 5, "reasoning": 0, "cache": {"read": 0, "write": 0}},
    }
    folder = home / "backup/storage_old/message/ses_1"
    folder.mkdir(parents=True)
    (folder / "msg_1.json").write_text(json.dumps({**message, **counts}))

    assert run(["import", "opencode", "--from", str(home / "backup/storage_old")]) == 0
    assert "Read 1 event from ~/backup/storage_old (1 file, 1 record; 1 new)" in capsys.readouterr().out
    assert run(["import", "opencode", "--from", str(home / "backup")]) == 0
    assert "nothing new" in capsys.readouterr().out
    assert calls(home) == 1


def test_a_dry_run_keeps_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--dry-run` says what would be read and cost; afterwards there is no store and no profile."""
    assert run(["import", "claude", "--to", "work", "--dry-run"]) == 0

    assert capsys.readouterr().out.splitlines()[0] == "Would read 3 events from ~/.claude/projects (2 files, 3 records)"
    assert not (home / "store").exists()


def test_an_unfinished_last_line_is_imported(home: Path) -> None:
    """An import takes a last line that lacks only its newline; when the newline comes it is still one call."""
    transcript = home / ".claude/projects/-w-app/s-2.jsonl"
    transcript.write_text(reply(3, day="2026-05-12") + reply(4).rstrip("\n"))
    run(["import", "claude"])
    imported = calls(home)
    transcript.write_text(reply(3, day="2026-05-12") + reply(4))
    run(["ingest"])

    assert (imported, calls(home)) == (4, 4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["import", "codex"], "Codex has no folder here; looked for"),
        (["import", "claude", "--from", "/nowhere/at/all"], "there is no such file or folder"),
        (["import", "claude", "--from", "/etc/passwd"], "holds no logs of Claude Code"),
    ],
)
def test_finding_nothing_says_why_and_what_to_type(home: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to import ends with 3, the reason, and the command that helps."""
    assert run(arguments) == 3

    error = capsys.readouterr().err
    assert says in error
    assert f"ringlet import {arguments[1]} --from PATH" in error


def test_a_named_folder_that_is_not_there_ends_with_3(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--claude-dir` with a folder that does not exist is told with its path, and nothing is read in its place."""
    assert run(["usage", "import-claude", "--claude-dir", str(home / "nowhere")]) == 3

    assert capsys.readouterr().err.startswith(f"ringlet: {home}/nowhere: there is no such file or folder; check the path, then ")
    assert calls(home) == 0


def test_a_home_without_logs_is_not_a_missing_home(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A home that is there but holds no transcript is told apart from one that is not there."""
    subprocess.run(["rm", "-r", home / ".claude/projects"], check=True)

    assert run(["import", "claude"]) == 3
    assert "no logs of Claude Code there (projects/**/*.jsonl" in capsys.readouterr().err


def test_an_unknown_agent_lists_the_known_ones(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no agent's ends with 2 and lists those there are."""
    assert run(["import", "cluade"]) == 2
    assert "known agents: claude, codex, droid, grok, opencode" in capsys.readouterr().err


def test_an_import_from_s0_is_the_same_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`usage import-claude --claude-dir` does what `import claude --from` does."""
    assert run(["usage", "import-claude", "--claude-dir", str(home / ".claude")]) == 0
    assert capsys.readouterr().out.startswith("✓ Read 3 events from ~/.claude (2 files, 3 records; 3 new)\n")


def test_ingest_reads_all_agents_and_says_what_came_of_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line per agent with news and one with what it changed; without news, one line."""
    assert run(["ingest"]) == 0
    size = sum(path.stat().st_size for path in home.glob(".claude/projects/*/*.jsonl"))
    assert capsys.readouterr().out.splitlines() == [
        f"✓ Claude Code: 3 records from 2 files, {size / 1000:.1f} kB",
        "✓ 3 new calls, 0 updated, 0 records of known calls",
    ]
    run(["ingest", "--no-prefilter"])
    assert capsys.readouterr().out == "✓ Nothing new in 2 files\n"


def test_agents_list_says_what_lies_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, bytes, calls and what is unread, by home; an agent that is not there is said not to be."""
    run(["agents", "list"])
    before = capsys.readouterr().out
    run(["ingest"])
    capsys.readouterr()
    run(["agents", "list", "--json"])
    (claude,) = [row for row in json.loads(capsys.readouterr().out) if row["exists"]]

    assert "not read yet:  ringlet ingest" in before
    assert "not there" in before
    assert (claude["agent"], claude["files"], claude["calls"], claude["unread_bytes"]) == ("claude", 2, 3, 0)


def test_a_second_watcher_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only one process watches a store; another ends with 4 and names the one that does."""
    durable.prepare_home(str(home / "store"), create=True)
    with durable.lock(str(home / "store/watch.lock")):
        assert run(["ingest", "--watch"]) == 4

    assert f"held by process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_watcher_that_is_stopped_has_kept_and_sealed_everything(home: Path, signal_: signal.Signals, code: int) -> None:
    """SIGINT and SIGTERM end a watcher with 130 and 143; what it saw is in the log's files."""
    command = [sys.executable, "-c", "import sys; from cli.main import run; sys.exit(run(['ingest', '--watch']))"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().startswith("Watching 2 files")
        end = time.monotonic() + 120
        while not (home / "store/journal.db").exists() or calls(home) < 3:
            assert time.monotonic() < end
            time.sleep(0.05)
        with (home / ".claude/projects/-w-app/s-2.jsonl").open("a") as transcript:
            transcript.write(reply(4, day="2026-05-12"))
        line = watcher.stdout.readline()
        watcher.send_signal(signal_)
        assert watcher.wait(120) == code

    assert "claude  1 new  claude-sonnet-4-5-20250929  10 / 100" in line
    with Log.open(home / "store") as log:
        assert (log.hot_count(), sum(segment.rows for segment in log.segments())) == (0, 4)


def test_install_writes_a_service_and_says_how_to_start_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit starts this very interpreter with this store, this zone and these places of logs."""
    monkeypatch.setenv("OPENCODE_DATA_DIR", "/mnt/50%/opencode")
    assert run(["ingest", "install"]) == 0

    out = capsys.readouterr().out
    if sys.platform == "linux":
        unit = (home / ".config/systemd/user/ringlet-ingest.service").read_text()
        assert f'ExecStart="{sys.executable}" ' in unit
        assert '"-m" "ringlet" "ingest" "--watch"\n' in unit
        assert f'Environment="RINGLET_HOME={home}/store"' in unit
        assert 'Environment="OPENCODE_DATA_DIR=/mnt/50%%/opencode"' in unit
        assert 'Environment="TZ=UTC"' in unit
        assert "systemctl --user enable --now ringlet-ingest" in out
