"""What counts of a reply of Anthropic's Messages API, each rule by a reply made for it."""

import json

import pytest

from ingest.wire.event import Ending, event_of
from ingest.wire.recognise import Kind
from ingest.wire.reply import Reply
from pipeline import keys
from pipeline.events import Seen, Tokens, UsageEvent
from tests.ingest.wired import AT, JSON, counts, delta, exchange, fed, one, sse, start

A = Kind.ANTHROPIC


def test_the_last_value_of_each_field_counts() -> None:
    """Later numbers stand in the place of earlier ones, larger or smaller; what a later event leaves out stays."""
    said = [
        start(input_tokens=100, cache_read_input_tokens=7, output_tokens=1),
        delta(None, input_tokens=40, output_tokens=5),
        delta(output_tokens=9),
    ]

    assert counts(fed(A, [sse(said)])) == [("claude-sonnet-5", 40, 9, 7, 0, 0, None)]


def test_a_cut_reply_keeps_its_prompt_and_says_that_its_output_is_unknown() -> None:
    """Without a last usage the output is a placeholder: it is kept, and marked."""
    event = one(fed(A, [sse([start(input_tokens=100, output_tokens=3), {"type": "ping"}])], ended="aborted"))

    assert (event.tokens.input, event.tokens.output, event.partial_output, event.status) == (100, 3, True, "aborted")


def test_an_error_after_usage_began_is_an_error_that_counts() -> None:
    """What was used before a provider failed is counted, as a failed call."""
    failure = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    event = one(fed(A, [sse([start(input_tokens=100, output_tokens=3), failure])]))
    late = one(fed(A, [sse([start(input_tokens=100, output_tokens=3), delta(output_tokens=9), failure])]))

    assert (event.tokens.input, event.status, event.partial_output) == (100, "error", True)
    assert (late.tokens.output, late.status, late.partial_output) == (9, "error", False)


def test_a_reply_that_was_not_streamed_is_whole() -> None:
    """What comes at once has its last usage; a server that says nothing of tools has searched nothing."""
    told = {"type": "message", "id": "msg_1", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 4, "server_tool_use": {}}}
    event = one(fed(A, [json.dumps(told).encode()], type=JSON))

    assert (event.status, event.partial_output, event.web_searches) == ("ok", False, 0)


def test_a_reply_without_its_end_is_no_whole_one() -> None:
    """Some proxies end a stream in good order that their provider broke off: without a last usage it failed."""
    event = one(fed(A, [sse([start(input_tokens=100, output_tokens=3)])], ended="ok"))

    assert (event.status, event.partial_output) == ("error", True)


def test_a_call_that_was_whole_before_its_client_went_is_no_aborted_one() -> None:
    """Aborted is a call whose numbers are not final."""
    assert one(fed(A, [sse([start(input_tokens=1, output_tokens=1), delta(output_tokens=2)])], ended="aborted")).status == "ok"


def test_an_error_before_usage_is_no_call() -> None:
    """A stream that fails before any usage is counted by name."""
    assert fed(A, [sse([{"type": "error", "error": {"type": "overloaded_error"}}])], ended="error") == [Seen(what="error_before_usage")]


def test_a_reply_spliced_into_another_is_a_call_of_its_own() -> None:
    """Another message id in the same stream is another call; the first was cut off, unless it had told its last usage."""
    second = {
        "type": "message_start",
        "message": {"id": "msg_2", "model": "claude-sonnet-5", "usage": {"input_tokens": 50, "output_tokens": 1}},
    }
    cut = fed(A, [sse([start(input_tokens=50, output_tokens=1), second, delta(output_tokens=8)])])
    whole = fed(A, [sse([start(input_tokens=50, output_tokens=1), delta(output_tokens=2), second, delta(output_tokens=8)])])

    for events, first in ((cut, ("msg_1", 1, "error")), (whole, ("msg_1", 2, "ok"))):
        calls = [(event.message_id, event.tokens.output, event.status) for event in events if isinstance(event, UsageEvent)]
        assert calls == [first, ("msg_2", 8, "ok")]


def test_writes_added_during_a_reply_live_as_long_as_its_first_ones() -> None:
    """The breakdown covers the first writes only: where all of them live for one hour, so do the others, and that is not known."""
    first = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30}
    said = [
        start(input_tokens=2, cache_creation_input_tokens=30, cache_creation=first, output_tokens=1),
        delta(cache_creation_input_tokens=50, output_tokens=4),
    ]
    event = one(fed(A, [sse(said)]))

    assert (event.tokens.cache_write_5m, event.tokens.cache_write_1h, event.ttl_known) == (0, 50, False)


@pytest.mark.parametrize(
    ("short", "long", "last", "known"),
    [(10, 20, 50, (30, 20)), (10, 20, 12, (12, 0)), (30, 0, 50, (50, 0)), (0, 30, 10, (0, 10)), (0, 0, 40, (40, 0))],
)
def test_what_is_added_to_writes_of_both_lives_is_of_unknown_life(short: int, long: int, last: int, known: tuple[int, int]) -> None:
    """Writes that were said to live for an hour still do: only what came on top is put to five minutes."""
    first = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    said = [
        start(input_tokens=2, cache_creation_input_tokens=short + long, cache_creation=first, output_tokens=1),
        delta(cache_creation_input_tokens=last, output_tokens=4),
    ]
    event = one(fed(A, [sse(said)]))

    assert (event.tokens.cache_write_5m, event.tokens.cache_write_1h) == known
    assert not event.ttl_known


def test_the_model_that_answered_is_named_where_a_fallback_began() -> None:
    """A block says to which model a reply fell back, without any iterations; what other blocks say of models means nothing."""
    block = {"type": "content_block_start", "content_block": {"type": "fallback", "to": {"model": "claude-opus-4-8"}}}
    other = {"type": "content_block_start", "content_block": {"type": "tool_use", "to": {"model": "claude-tool-1"}}}

    assert one(fed(A, [sse([start(input_tokens=1, output_tokens=1), block, other, delta(output_tokens=2)])])).model == "claude-opus-4-8"


def test_an_iteration_says_how_long_all_writes_live() -> None:
    """Where the last part of a reply tells the lives of all that was written, nothing need be supposed."""
    first, all_of_it = ({"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": 30} for short in (0, 20))
    hop = {"type": "message", "input_tokens": 2, "output_tokens": 4, "cache_creation_input_tokens": 50, "cache_creation": all_of_it}
    said = [
        start(input_tokens=2, cache_creation_input_tokens=30, cache_creation=first, output_tokens=1),
        delta(cache_creation_input_tokens=50, output_tokens=4, iterations=[hop]),
    ]
    event = one(fed(A, [sse(said)]))

    assert (event.tokens.cache_write_5m, event.tokens.cache_write_1h, event.ttl_known) == (20, 30, True)


def test_tier_speed_place_searches_and_thinking_are_kept() -> None:
    """What decides the price of a call is kept from wherever in the stream it stands."""
    said = [
        start(input_tokens=2, output_tokens=1, service_tier="priority", speed="fast", inference_geo="us"),
        delta(output_tokens=40, server_tool_use={"web_search_requests": 3}, output_tokens_details={"thinking_tokens": 12}),
    ]
    event = one(fed(A, [sse(said)]))

    assert (event.tier, event.speed, event.geo, event.web_searches, event.reasoning) == ("priority", "fast", "us", 3, 12)


def test_the_call_of_a_transcript_line_has_the_same_key() -> None:
    """Message id and request id make the key that a transcript's line makes of them."""
    reply = Reply(model="m", tokens=Tokens(input=1), id="msg_1")
    event = event_of(exchange(A, request_id="req_1"), Ending(at=AT, duration_ms=5), reply)

    assert event.key == keys.reply("msg_1", "req_1")
    assert event.profile == "work"


def test_zeros_before_a_cut_are_no_call() -> None:
    """Translating servers begin a reply with zeros: cut there, nothing is known of what was used; any prompt count is something."""
    nothing = start(input_tokens=0, cache_read_input_tokens=0, cache_creation_input_tokens=0, output_tokens=0)

    assert fed(A, [sse([nothing])], ended="aborted") == [Seen(what="aborted_before_usage")]
    assert counts(fed(A, [sse([nothing, delta(output_tokens=7)])])) == [("claude-sonnet-5", 0, 7, 0, 0, 0, None)]
    for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        assert len(counts(fed(A, [sse([start(**{name: 1}, output_tokens=0)])], ended="aborted"))) == 1


def test_web_fetches_are_free() -> None:
    """Of what tools did at the provider only searches are billed one by one."""
    tools = {"web_search_requests": 2, "web_fetch_requests": 7}

    assert one(fed(A, [sse([start(input_tokens=1, output_tokens=1), delta(output_tokens=2, server_tool_use=tools)])])).web_searches == 2


def test_calls_inside_a_reply_are_priced_as_the_reply_is() -> None:
    """An advisor's and a compaction's call run on the reply's tier, at its speed and place; searches and thinking are the reply's own."""
    hops = [
        {"type": "compaction", "input_tokens": 60, "output_tokens": 5},
        {"type": "message", "input_tokens": 6, "output_tokens": 7},
        {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 9, "output_tokens": 8},
    ]
    tools, thought = {"web_search_requests": 1}, {"thinking_tokens": 3}
    said = [
        start(input_tokens=6, output_tokens=1, service_tier="batch", speed="fast", inference_geo="us"),
        delta(output_tokens=7, iterations=hops, server_tool_use=tools, output_tokens_details=thought),
    ]
    events = [event for event in fed(A, [sse(said)]) if isinstance(event, UsageEvent)]

    assert [(event.model, event.tokens.input, event.tokens.output, event.initiator) for event in events] == [
        ("claude-sonnet-5", 6, 7, "main"),
        ("claude-sonnet-5", 60, 5, "task"),
        ("claude-fable-5", 9, 8, "main"),
    ]
    assert [(event.tier, event.speed, event.geo) for event in events] == [("batch", "fast", "us")] * 3
    assert [(event.web_searches, event.reasoning) for event in events] == [(1, 3), (0, None), (0, None)]
