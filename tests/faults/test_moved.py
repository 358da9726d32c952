"""Files cut, rewritten, moved and copied: however often they are looked at meanwhile, the end is that of one look at the end."""

import json
import os
import shutil
from pathlib import Path

from ingest.adapters.claude import ADAPTER
from ingest.reader import Manner
from ingest.registry import adapter
from ingest.run import Summary, refresh
from pipeline.log import Log
from tests.cli.homes import reply
from tests.sizes import times

AT = "2026-05-13T09:00:00Z"
CODEX = Path(__file__).resolve().parents[2] / "data-fixtures/codex/running-totals/home"
NOW_NS = 2_000_000_000_000_000_000


def look(log: Log, agent: str, home: Path, now_ns: int = NOW_NS) -> Summary:
    return refresh(log, [adapter(agent)], {}, "/nowhere", Manner(now_ns=now_ns), further={agent: [str(home)]})


def outputs(log: Log) -> list[int]:
    return sorted(call.output for call in log.calls(0, 2**23))


def test_a_file_cut_at_any_line_and_rewritten_is_read_anew(tmp_path: Path) -> None:
    """Truncated in place at every line boundary and written on: all that ever stood there counts once, and resets are counted."""
    path = tmp_path / "projects/p/a.jsonl"
    path.parent.mkdir(parents=True)
    lines = [reply(number, AT, output=number) for number in range(1, 9)]
    path.write_text("".join(lines))
    due = set(range(1, 9))
    with Log.open(tmp_path / "store") as log:
        look(log, ADAPTER.agent, tmp_path)
        for kept in range(len(lines)):
            os.truncate(path, len("".join(lines[:kept])))
            if kept % 2:
                look(log, ADAPTER.agent, tmp_path)
            with path.open("a") as file:
                file.write(reply(100 + kept, AT, output=100 + kept) * 2)
            due.add(100 + kept)
            look(log, ADAPTER.agent, tmp_path)
            path.write_text("".join(lines))
            look(log, ADAPTER.agent, tmp_path)
        (known,) = log.sources()
        held = outputs(log)

    assert held == sorted(due)
    assert known.counts.resets >= len(lines)
    assert known.counts.lines == known.counts.new + known.counts.duplicate


def test_a_document_rewritten_in_place_is_its_last_whole_version(tmp_path: Path) -> None:
    """OpenCode's older message files grow while a reply streams: cut off anywhere, one is neither believed nor blamed, and comes again."""
    path = tmp_path / "storage/message/ses_a/msg_a.json"
    path.parent.mkdir(parents=True)

    def version(output: int) -> bytes:
        tokens = {"input": 1, "output": output, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        time = {"created": 1_760_000_000_000, "completed": 1_760_000_001_000}
        message = {"id": "msg_a", "sessionID": "ses_a", "role": "assistant", "time": time, "modelID": "m", "providerID": "p"}
        return json.dumps({**message, "path": {"cwd": "/w", "root": "/w"}, "tokens": tokens, "cost": 0}).encode()

    path.write_bytes(version(1_000))
    length = len(version(1_000))
    with Log.open(tmp_path / "store") as log:
        look(log, "opencode", tmp_path)
        assert outputs(log) == [1_000]
        for nth in range(times(length - 1)):
            output = 1_001 + nth
            with path.open("wb") as file:
                file.write(version(output)[: 1 + nth % (length - 1)])
            written_ns = path.stat().st_mtime_ns
            torn = look(log, "opencode", tmp_path, now_ns=written_ns + 1)
            assert (torn.new, torn.updated, outputs(log)) == (0, 0, [output - 1])
            path.write_bytes(version(output))
            look(log, "opencode", tmp_path, now_ns=written_ns + 2)
            assert outputs(log) == [output]
        assert log.quarantine() == []


def test_records_without_an_id_are_known_wherever_they_lie(tmp_path: Path) -> None:
    """Codex's running totals have no id: renamed, archived, copied beside themselves or into a backup, they are the calls they were."""
    home = tmp_path / "codex"
    shutil.copytree(CODEX, home)
    (first,) = home.rglob("*.jsonl")
    with Log.open(tmp_path / "store") as log:
        assert look(log, "codex", home).new == 3
        due = outputs(log)
        other = first.with_name("rollout-2026-09-09T09-09-09-01990000-0000-7000-8000-0000000000ff.jsonl")
        first.rename(other)
        renamed = look(log, "codex", home)
        shutil.copy(other, first.with_name("rollout-copy.jsonl"))
        copied = look(log, "codex", home)
        (home / "archived_sessions").mkdir()
        other.rename(home / "archived_sessions" / other.name)
        archived = look(log, "codex", home)
        shutil.copytree(home, tmp_path / "backup")
        elsewhere = look(log, "codex", tmp_path / "backup")
        set_aside = log.rebuild()
        rebuilt = look(log, "codex", home)

        assert [run.new for run in (renamed, copied, archived, elsewhere, rebuilt)] == [0] * 5
        assert [run.duplicate for run in (renamed, copied, archived, elsewhere)] == [3, 3, 3, 6]
        assert outputs(log) == due == [10, 50, 100]
        assert set_aside == []
