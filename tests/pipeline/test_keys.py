"""Ranks, owner ranks and identities: functions of content alone."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import Tokens
from pipeline.keys import anthropic, identity, informed, microseconds, owner_rank, rank, rank_of, rank_of_numbers, replies, reply

TOKENS = Tokens(input=6, output=530, cache_read=41_000, cache_write_1h=1_200)


def test_complete_record_beats_a_longer_partial_one() -> None:
    """A record that says the reply has ended counts before any that does not."""
    assert rank(complete=True, output=5, at_us=1, facts="a") > rank(complete=False, output=500, at_us=9, facts="b")


def test_larger_output_beats_a_later_time() -> None:
    """Of two complete records the one with more output counts."""
    assert rank(complete=True, output=6, at_us=1, facts="a") > rank(complete=True, output=5, at_us=9, facts="a")


def test_later_time_wins_unless_copies_are_stamped_anew() -> None:
    """With equal output the later record counts; for logs whose copies carry the time of copying, the earlier."""
    assert rank(complete=True, output=5, at_us=2, facts="a") > rank(complete=True, output=5, at_us=1, facts="a")
    assert rank(complete=True, output=5, at_us=1, facts="a", earliest=True) > rank(
        complete=True, output=5, at_us=2, facts="a", earliest=True
    )


@given(st.booleans(), st.integers(0, 2**40), st.integers(-(2**60), 2**60), st.text())
def test_rank_is_16_bytes_for_every_time(complete: bool, output: int, at_us: int, facts: str) -> None:
    """Any year and any output that events may hold fit."""
    assert len(rank(complete=complete, output=output, at_us=at_us, facts=facts)) == 16


def test_owner_order() -> None:
    """Originals before copies, main lines before sidechains, shallow files before deep ones, early sessions before late ones."""
    first = owner_rank(copied=False, sidechain=False, depth=2, session_start_us=1_000_000, session="b")
    later = owner_rank(copied=False, sidechain=False, depth=2, session_start_us=2_000_000, session="a")
    deeper = owner_rank(copied=False, sidechain=False, depth=3, session_start_us=1_000_000, session="b")
    side = owner_rank(copied=False, sidechain=True, depth=1, session_start_us=0, session="b")
    copy = owner_rank(copied=True, sidechain=False, depth=1, session_start_us=0, session="b")

    assert first < later < deeper < side < copy < 2**63


def test_what_else_an_owner_is_breaks_ties_between_records_of_one_session() -> None:
    """Two records of one session that differ in project or branch differ in owner rank; the session still comes before that."""
    about: dict[str, Any] = {"copied": False, "sidechain": False, "depth": 2, "session_start_us": 0}
    ranks = {owner_rank(**about, session="a", rest=rest) for rest in ("/w/app|main", "/w/app|next", "/w/other|main")}

    assert len(ranks) == 3
    assert len({rank >> 10 for rank in ranks}) == 1
    assert len({owner_rank(**about, session=session, rest="/w/app|main") >> 10 for session in "abc"}) == 3


def test_reply_is_found_by_either_of_its_ids() -> None:
    """A record that knows only one id claims what a record that knows both offers."""
    both = anthropic("msg_1", "req_1", TOKENS, sidechain=False)
    message = anthropic("msg_1", None, TOKENS, sidechain=False)
    request = anthropic(None, "req_1", TOKENS, sidechain=False)

    assert both is not None
    assert message is not None
    assert request is not None
    assert message[0] in both[2]
    assert request[0] in both[2]


anything = st.text(st.characters())


@given(st.lists(st.tuples(anything, st.none() | anything), max_size=5))
def test_many_replies_are_named_as_one_is(ids: list[tuple[str, str | None]]) -> None:
    """Whatever the ids are, also text that no encoding knows, many at a time get the keys that each gets by itself."""
    found = replies([message for message, _ in ids], [request for _, request in ids])

    assert found == [reply(message, request) for message, request in ids]


def test_two_requests_with_one_message_id_are_two_calls() -> None:
    """Neither of two main records claims what they share."""
    one = anthropic("msg_1", "req_1", TOKENS, sidechain=False)
    two = anthropic("msg_1", "req_2", TOKENS, sidechain=False)

    assert one is not None
    assert two is not None
    assert not {one[0], *one[1]} & {two[0], *two[1], *two[2]}


def test_sidechain_replay_claims_the_parents_reply_if_the_prompt_agrees() -> None:
    """A replay under a new request id is the same call; with another prompt it is another."""
    main = anthropic("msg_1", "req_1", TOKENS, sidechain=False)
    replay = anthropic("msg_1", "req_2", TOKENS, sidechain=True)
    other = anthropic("msg_1", "req_2", Tokens(input=7, output=530), sidechain=True)

    assert main is not None
    assert replay is not None
    assert other is not None
    assert set(replay[1]) & set(main[2])
    assert not set(other[1]) & set(main[2])


def test_a_replay_need_not_tell_how_long_its_cache_writes_live() -> None:
    """A replay that reports 1,200 cache writes flat is the call whose 200 + 1,000 the parent tells apart; with 1,201 it is another."""
    told = anthropic("msg_1", "req_1", Tokens(input=6, cache_write_5m=200, cache_write_1h=1_000), sidechain=False)
    flat = anthropic("msg_1", "req_2", Tokens(input=6, cache_write_5m=1_200), sidechain=True)
    other = anthropic("msg_1", "req_2", Tokens(input=6, cache_write_5m=1_201), sidechain=True)

    assert told is not None
    assert flat is not None
    assert other is not None
    assert set(flat[1]) <= set(told[2])
    assert not set(other[1]) & set(told[2])


def test_identities_of_different_kinds_never_meet() -> None:
    """The name space is part of the identity, and so is where one part ends."""
    assert len({identity("a", "b"), identity("b", "a"), identity("a", "b", ""), identity("a", None), identity("a", "")}) == 5


def test_microseconds_are_exact() -> None:
    """2026-05-06T07:08:09.000001Z is 1,778,051,289,000,001 microseconds after 1970."""
    assert microseconds(datetime(2026, 5, 6, 7, 8, 9, 1, tzinfo=UTC)) == 1_778_051_289_000_001


numbers_of_a_record = st.tuples(*[st.integers(-1, 2**62)] * 6)
sixteen_bytes = st.binary(min_size=16, max_size=16)


def facts_of(rank: bytes) -> int:
    return int.from_bytes(rank, "big") & 2**34 - 1


@given(numbers_of_a_record, st.integers(0, 5), st.integers(1, 2**40), sixteen_bytes)
def test_ranks_tell_every_number(numbers: tuple[int, ...], which: int, more: int, key: bytes) -> None:
    """Facts that differ in one number, whichever it is and by how much, or in the key, are told apart; equal facts are not."""
    other = tuple(number + more if place == which else number for place, number in enumerate(numbers))

    found = rank_of_numbers(True, 9, 5, True, 7, key, *numbers)
    assert found == rank_of_numbers(True, 9, 5, True, 7, key, *numbers) != rank_of_numbers(True, 9, 5, True, 7, key, *other)
    assert found != rank_of_numbers(True, 9, 5, True, 7, key[::-1], *numbers) or key == key[::-1]


@given(st.booleans(), st.integers(0, 2**40), st.integers(-9, 2**53), st.booleans(), numbers_of_a_record, sixteen_bytes)
def test_a_rank_over_numbers_orders_as_any_rank(
    complete: bool, output: int, at_us: int, knows: bool, numbers: tuple[int, ...], key: bytes
) -> None:
    """What stands above the facts is what `rank_of` puts there, and a record that knows more differs in what `informed` adds."""
    found = rank_of_numbers(complete, output, at_us, knows, 7, key, *numbers)
    plain = facts_of(rank_of_numbers(complete, output, at_us, False, 7, key, *numbers))

    assert found == rank_of(complete, output, at_us, facts_of(found))
    assert facts_of(found) == informed(plain << 1, knows)
