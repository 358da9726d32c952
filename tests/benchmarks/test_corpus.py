"""The corpus that benchmarks measure on: its truth is what an importer that knows the rules must find."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import corpus


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    corpus.main(["--bytes", "3M", "--files", "12", "--codex", "4", "--opencode", "3", "--traps", "--seed", "7", "--out", str(folder)])
    return folder


def best_records(folder: Path) -> dict[tuple[str, str], tuple[tuple[bool, int, str], dict[str, Any]]]:
    """The record that counts of each call, found the slow way: every line through `json`."""
    best: dict[tuple[str, str], tuple[tuple[bool, int, str], dict[str, Any]]] = {}
    for path in folder.glob(".claude/projects/**/*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            message = record.get("message", {})
            if record["type"] != "assistant" or message["model"] == "<synthetic>":
                continue
            usage = message["usage"]
            # An aside replays the reply under a new request id with the same prompt: the message id alone names the call in this corpus.
            rank = (message["stop_reason"] is not None, usage["output_tokens"], record["timestamp"])
            key = (message["id"], "")
            if key not in best or rank > best[key][0]:
                best[key] = (rank, record)
    return best


def test_the_truth_is_what_stands_in_the_transcripts(made: Path) -> None:
    """Calls, tokens and UTC days of `truth.json` are those of the best record of each message id."""
    truth = json.loads((made / "truth.json").read_text())["agents"]["claude"]
    days: dict[str, int] = {}
    total = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}
    for rank, record in best_records(made).values():
        usage = record["message"]["usage"]
        days[rank[2][:10]] = days.get(rank[2][:10], 0) + usage["output_tokens"]
        total["input"] += usage["input_tokens"]
        total["output"] += usage["output_tokens"]
        total["cache_read"] += usage["cache_read_input_tokens"]
        total["cache_write"] += usage["cache_creation_input_tokens"]

    assert truth["total"]["requests"] == len(best_records(made))
    assert (total["input"], total["output"], total["cache_read"]) == tuple(
        truth["total"][name] for name in ("input", "output", "cache_read")
    )
    assert total["cache_write"] == truth["total"]["cache_write_5m"] + truth["total"]["cache_write_1h"]
    assert days == {day: sum(row["output"] for row in models.values()) for day, models in truth["days"].items()}


def test_the_shape_is_that_of_real_logs(made: Path) -> None:
    """Lines without usage hold most bytes, a reply takes about two lines, some files are torn, some lines are copies with `forkedFrom`."""
    text = b"".join(path.read_bytes() for path in made.glob(".claude/projects/**/*.jsonl"))
    lines = text.split(b"\n")
    usage = [line for line in lines if b'"requestId"' in line]
    about = json.loads((made / "truth.json").read_text())["agents"]["claude"]

    assert sum(map(len, usage)) < len(text) / 2
    assert 1.5 < len(usage) / about["total"]["requests"] < 2.6
    assert any(b'"isSidechain":true' in line for line in usage)
    assert b'\\"output_tokens\\"' in text
    assert b'"toolUseResult":{"status":"completed","usage":{' in text


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    """Two runs with the same options write the same files."""
    corpus.main(
        ["--bytes", "3M", "--files", "12", "--codex", "4", "--opencode", "3", "--traps", "--seed", "7", "--out", str(tmp_path / "b")]
    )

    for path in made.rglob("*.json*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(made)).read_bytes()
