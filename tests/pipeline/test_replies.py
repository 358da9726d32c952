"""Replies of the Anthropic API under their real identities: the same calls in every order, and after the journal is lost."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import keys
from pipeline.batch import Batch, Dims
from pipeline.events import Tokens
from pipeline.log import Log
from pipeline.sources import Cursor, Reading, Source
from tests.pipeline.sightings import NOON
from tests.pipeline.test_log import few_or_many, hot
from tests.pipeline.test_recover import lose_journal
from tests.sizes import times


class Line(msgspec.Struct, frozen=True):
    """One line of a transcript, as far as identity goes."""

    message_id: str | None
    request_id: str | None
    prompt: int
    output: int
    sidechain: bool
    part: str = ""

    @property
    def tokens(self) -> Tokens:
        return Tokens(input=self.prompt, output=self.output)

    @property
    def names(self) -> tuple[set[bytes], set[bytes]]:
        """(claimed, offered)"""
        made = keys.anthropic(self.message_id, self.request_id, self.tokens, sidechain=self.sidechain, part=self.part)
        assert made is not None
        return {made[0], *made[1]}, set(made[2])


def batch(lines: Iterable[Line]) -> Batch:
    made = Batch(dims=[Dims(agent="claude", model="m")])
    for row, line in enumerate(lines):
        key, claimed, _ = keys.anthropic(line.message_id, line.request_id, line.tokens, sidechain=line.sidechain, part=line.part)  # type: ignore[misc]
        if claimed:
            made.aliases[row] = claimed
        made.dim.append(0)
        made.key.append(key)
        facts = repr(line)
        made.rank.append(keys.rank(complete=True, output=line.output, at_us=NOON, facts=facts))
        made.owner_rank.append(1)
        made.at_us.append(NOON)
        made.input.append(line.prompt)
        made.output.append(line.output)
        for column in (made.cache_read, made.cache_write_5m, made.cache_write_1h, made.web_searches, made.offset, made.length):
            column.append(0)
        for empty in (made.reasoning, made.duration_ms, made.logged_cost):
            empty.append(None)  # type: ignore[arg-type,unused-ignore]
        made.message_id.append(line.message_id)
        made.request_id.append(line.request_id)
        made.source.append(1)
    return made


def totals(lines: list[Line]) -> list[tuple[int, int]]:
    """(prompt, output) of each call by trying every pair of lines until nothing joins any more."""
    groups = [[line] for line in lines]
    joined = True
    while joined:
        joined = False
        for one in groups:
            for other in groups:
                if one is not other and any(a.names[0] & (b.names[0] | b.names[1]) or b.names[0] & a.names[1] for a in one for b in other):
                    one.extend(other)
                    groups = [group for group in groups if group is not other]
                    joined = True
                    break
            if joined:
                break
    best = [max(group, key=lambda line: keys.rank(complete=True, output=line.output, at_us=NOON, facts=repr(line))) for group in groups]
    return sorted((line.prompt, line.output) for line in best)


def found(log: Log) -> list[tuple[int, int]]:
    return sorted((call.input, call.output) for call in log.calls(0, 40_000))


class Reader:
    """Commits lines of the one source."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._source = log.register([Source(path="/a", agent="claude", root="/")])["/a"]
        self._cursor: Cursor | None = None

    def commit(self, lines: Iterable[Line]) -> tuple[int, int]:
        """(new, updated)"""
        lines = list(lines)
        after = Cursor(offset=(self._cursor.offset if self._cursor else 0) + 1)
        done = self._log.commit(batch(lines), [Reading(source_id=self._source, before=self._cursor, after=after)], ingested_at_us=NOON)
        if done.stale:
            done = self._log.commit(batch(lines), [Reading(source_id=self._source, before=None, after=after)], ingested_at_us=NOON)
        self._cursor = after
        return done.new, done.updated


lines = st.builds(
    Line,
    message_id=st.sampled_from(["m1", "m2", None]),
    request_id=st.sampled_from(["r1", "r2", "r3", None]),
    prompt=st.integers(1, 3),
    output=st.integers(1, 4),
    sidechain=st.booleans(),
    part=st.sampled_from(["", "", "", "advisor"]),
).filter(lambda line: line.message_id or line.request_id)


@settings(max_examples=times(75), deadline=None)
@given(st.lists(lines, min_size=1, max_size=9), st.data())
def test_replies_are_the_same_calls_in_every_order(tmp_path_factory: pytest.TempPathFactory, told: list[Line], data: st.DataObject) -> None:
    """Message ids alone, request ids alone, pairs, sidechains and parts: cut and ordered anyhow, and rebuilt from the log alone."""
    store = tmp_path_factory.mktemp("log") / "store"
    order = data.draw(st.permutations(told))
    cut = data.draw(st.integers(0, len(order)))
    with few_or_many(data), Log.open(store) as log:
        reader = Reader(log)
        reader.commit(order[:cut])
        log.seal()
        reader.commit(order[cut:])
        log.seal()
        assert found(log) == totals(told)
        assert reader.commit(told) == (0, 0)
    lose_journal(store)
    with Log.open(store) as log:
        assert found(log) == totals(told)
        assert Reader(log).commit(told) == (0, 0)


def test_a_whole_reply_keeps_no_aliases_in_the_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What follows from a reply's own columns is not stored: incompressible bytes would double a row."""
    with Log.open(tmp_path_factory.mktemp("log") / "store") as log:
        Reader(log).commit([Line("m1", "r1", 1, 1, False), Line("m2", None, 1, 1, False)])
        assert [row["aliases"] for row in hot(log).to_pylist()] == [None, None]


def test_a_reply_known_by_its_request_alone_is_found_late(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The first record that knows nothing but a request finds the reply that was recorded long before."""
    with Log.open(tmp_path_factory.mktemp("log") / "store") as log:
        reader = Reader(log)
        reader.commit([Line("m1", "r1", 1, 4, False), Line("m2", "r2", 2, 3, False)])
        log.seal()

        assert reader.commit([Line(None, "r1", 1, 1, False)]) == (0, 1)
        assert found(log) == [(1, 4), (2, 3)]
        assert reader.commit([Line(None, "r2", 2, 3, False), Line(None, "r3", 3, 3, False)])[0] == 1


def test_a_better_record_of_a_reply_brings_no_alias(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The lines of one reply have the same names: the difference between them needs none."""
    with Log.open(tmp_path_factory.mktemp("log") / "store") as log:
        reader = Reader(log)
        reader.commit([Line("m1", "r1", 1, 1, False)])
        assert reader.commit([Line("m1", "r1", 1, 4, False)]) == (0, 1)
        assert [row["aliases"] for row in hot(log).to_pylist()] == [None, None]
