"""Lines as crashes, copies and other programs leave them: each counts what it says or is quarantined; its neighbours count."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest import bulk
from ingest.adapters.claude import ADAPTER
from ingest.reader import Manner
from ingest.run import refresh
from pipeline.log import Log
from tests.cli.homes import reply

AT = "2026-05-13T09:00:00Z"
PLAIN = reply(2, AT, input=1, output=5)[:-1]
"""The line that is spoilt: one call of 5 tokens out."""


def with_output(literal: str) -> bytes:
    """The line with another literal as its count of output."""
    return PLAIN.replace('"output_tokens": 5', f'"output_tokens": {literal}').encode()


def with_field(field: str, literal: str) -> bytes:
    return PLAIN.replace('{"type"', f'{{"{field}": {literal}, "type"', 1).encode()


def null_at(*path: str) -> bytes:
    """The line with null in place of one field, however deep."""
    line: dict[str, Any] = json.loads(PLAIN)
    inner = line
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = None
    return json.dumps(line).encode()


FINE = 5
TABLE: dict[str, tuple[bytes, int | str | None]] = {
    # name: the line, and its tokens out, or why it is quarantined, or None for a line that is no call
    "spaces after colons": (PLAIN.encode(), FINE),
    "no spaces": (json.dumps(json.loads(PLAIN), separators=(",", ":")).encode(), FINE),
    "spaces before colons": (PLAIN.replace('": ', '"  :\t').encode(), FINE),
    "CRLF": (PLAIN.encode() + b"\r", FINE),
    "BOM": (b"\xef\xbb\xbf" + PLAIN.encode(), FINE),
    "BOM and CRLF": (b"\xef\xbb\xbf" + PLAIN.encode() + b"\r", FINE),
    "one NUL before": (b"\x00" + PLAIN.encode(), FINE),
    "4 KiB of NULs before": (b"\x00" * 4096 + PLAIN.encode(), FINE),
    "1 MiB of NULs before": (b"\x00" * (1 << 20) + PLAIN.encode(), FINE),
    "a NUL in a text": (PLAIN.replace("/src/shop", "/src/\x00shop").encode(), FINE),
    "lone surrogate in an unused field": (with_field("note", '"cut \\ud83d"'), FINE),
    "lone surrogate in a kept field": (PLAIN.replace("/src/shop", "/src/\\udc00").encode(), FINE),
    "lone surrogate as a key": (PLAIN.replace('{"type"', '{"\\ud83d": 1, "type"', 1).encode(), FINE),
    "invalid UTF-8 in an unused field": (with_field("note", '"X"').replace(b'"X"', b'"\xff\xc0"'), FINE),
    "invalid UTF-8 in a kept field": (PLAIN.encode().replace(b"/src/shop", b"/src/\xff"), FINE),
    "UTF-8 of a surrogate": (PLAIN.encode().replace(b"/src/shop", b"/src/\xed\xa0\xbd"), FINE),
    "a key twice": (PLAIN.replace('"output_tokens": 5', '"output_tokens": 9, "output_tokens": 5').encode(), FINE),
    "integral fraction": (with_output("5.0"), FINE),
    "exponent": (with_output("0.5e1"), FINE),
    "2^40": (with_output(str(2**40)), 2**40),
    "2^40 + 1": (with_output(str(2**40 + 1)), "out_of_range"),
    "2^53": (with_output(str(2**53)), "out_of_range"),
    "2^63": (with_output(str(2**63)), "out_of_range"),
    "2^64": (with_output(str(2**64)), "out_of_range"),
    "10^400": (with_output("1" + "0" * 400), "out_of_range"),
    "10^5000": (with_output("1" + "0" * 5000), "out_of_range"),
    "1e30": (with_output("1e30"), "out_of_range"),
    "negative": (with_output("-5"), "negative"),
    "negative and vast": (with_output("-1" + "0" * 400), "negative"),
    "negative zero": (with_output("-0"), 0),
    "NaN": (with_output("NaN"), "not_a_number"),
    "Infinity": (with_output("Infinity"), "not_a_number"),
    "1e400": (with_output("1e400"), "out_of_range"),
    "a fraction": (with_output("5.5"), "not_a_number"),
    "a text": (with_output('"5"'), "not_a_number"),
    "true": (with_output("true"), "not_a_number"),
    "a list": (with_output("[5]"), "not_a_number"),
    "null count beside another": (with_output("null"), 0),
    "null session": (null_at("sessionId"), FINE),
    "null project": (null_at("cwd"), FINE),
    "null version": (null_at("version"), FINE),
    "null sidechain": (null_at("isSidechain"), FINE),
    "null uuid": (null_at("uuid"), FINE),
    "null model": (null_at("message", "model"), FINE),
    "null content": (null_at("message", "content"), FINE),
    "null request": (null_at("requestId"), FINE),
    "null message id": (null_at("message", "id"), FINE),
    "null time": (null_at("timestamp"), "bad_timestamp"),
    "no date at all": (PLAIN.replace(AT, "yesterday").encode(), "bad_timestamp"),
    "year 0": (PLAIN.replace("2026", "0000").encode(), "bad_timestamp"),
    "nested 100,000 deep": (with_field("note", "[" * 100_000 + "]" * 100_000), FINE),
    "cut short": (PLAIN.encode()[:-1], "unreadable"),
    "something after it": (PLAIN.encode() + b" oops", "unreadable"),
    "in a list": (b"[" + PLAIN.encode() + b"]", "not_an_object"),
    "single quotes": (PLAIN.replace('"', "'").replace("'output_tokens'", '"output_tokens"').encode(), "unreadable"),
    "an array": (b"[1, 2]", None),
    "a number": (b"5", None),
    "nothing": (b"", None),
    "only NULs": (b"\x00" * 4096, None),
}


@pytest.fixture(params=["step by step", "in columns", "without the needle"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ways in which lines are read; they must not differ in anything."""
    if request.param == "in columns":
        monkeypatch.setattr(bulk, "COLUMNS_BYTES", 0)
    return str(request.param)


def test_every_bad_line_counts_what_it_says_or_says_why_not(way: str, tmp_path: Path) -> None:
    """One file for each line, between two good ones of 3 and 4 tokens out: the good ones always count, and the law of accounting holds."""
    folder = tmp_path / "home/projects/p"
    folder.mkdir(parents=True)
    before, after = (reply(number, AT, output=number, session=f"s{number}").encode() for number in (3, 4))
    for number, (line, _) in enumerate(TABLE.values()):
        content = before + line + b"\n" + after
        # Calls of their own in each file, so that all can be read into one log.
        for prefix in (b"msg_", b"req_"):
            content = content.replace(b'"' + prefix, b'"%s%d-' % (prefix, number))
        (folder / f"{number}.jsonl").write_bytes(content)
    with Log.open(tmp_path / "store") as log:
        manner = Manner(now_ns=2_000_000_000_000_000_000, prefilter=way != "without the needle")
        summary = refresh(log, [ADAPTER], {"CLAUDE_CONFIG_DIR": str(tmp_path / "home")}, "/nowhere", manner)
        sources = {known.id: known for known in log.sources()}
        kept: dict[str, list[tuple[int, str]]] = {known.source.path: [] for known in sources.values()}
        for each in log.quarantine():
            kept[each.path].append((each.record.offset, each.record.reason))
        hot = log.hot_rows()
        assert hot is not None
        told: dict[int, list[int]] = {}
        for source, output in zip(hot["source"].to_pylist(), hot["output"].to_pylist(), strict=True):
            told.setdefault(source, []).append(output)

    assert summary.troubles == []
    found: dict[str, object] = {}
    for known in sources.values():
        name, (line, _) = list(TABLE.items())[int(Path(known.source.path).stem)]
        counts = known.counts
        assert counts.lines == counts.new + counts.updated + counts.duplicate + counts.ignored + counts.quarantined, name
        assert counts.bytes == Path(known.source.path).stat().st_size, name
        outputs = told[known.id]
        assert {3, 4} <= set(outputs), name
        rest = [output for output in outputs if output not in (3, 4)]
        reasons = [reason for offset, reason in kept[known.source.path]]
        assert len(rest) + len(reasons) <= 1, name
        found[name] = rest[0] if rest else reasons[0] if reasons else None
    assert found == {name: due for name, (_, due) in TABLE.items()}
