"""What counts of a reply and what does not, each rule by a reply made for it."""

import gzip
import json
import random
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
import zstandard

from ingest.wire import body
from ingest.wire.caller import agent_of, session_of
from ingest.wire.capture import Capture, Head
from ingest.wire.event import Ending, event_of
from ingest.wire.recognise import Kind, kind_of
from ingest.wire.reply import Reply
from ingest.wire.sse import RECORD_BYTES
from pipeline import keys
from pipeline.events import Rejected, Seen, Tokens, UsageEvent
from tests.ingest.wired import AT, JSON, SSE, counts, exchange, fed, sse

A, C, R, G, OLLAMA = Kind.ANTHROPIC, Kind.CHAT, Kind.RESPONSES, Kind.GEMINI, Kind.OLLAMA


def start(**usage: Any) -> dict[str, Any]:
    """The first event of a reply."""
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-5", "usage": usage}}


def delta(stop: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    """A later event of a reply."""
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


def chunk(**said: Any) -> dict[str, Any]:
    """A chunk of a chat."""
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [], **said}


def one(events: list[Any]) -> UsageEvent:
    """The only call."""
    (event,) = events
    assert isinstance(event, UsageEvent), event
    return event


# Anthropic


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


# Chat


@pytest.mark.parametrize(
    ("name", "chunks", "known"),
    [
        ("openai", [chunk(usage=None), chunk(usage={"prompt_tokens": 15, "completion_tokens": 8, "total_tokens": 23})], (15, 8, 0, 0)),
        ("only groq's own", [chunk(x_groq={"id": "r", "usage": {"prompt_tokens": 4, "completion_tokens": 2}})], (4, 2, 0, 0)),
        (
            "in the choice",
            [chunk(choices=[{"finish_reason": "stop", "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 4}}])],
            (5, 1, 4, 0),
        ),
        ("hits and misses", [chunk(usage={"prompt_tokens": 30, "completion_tokens": 1, "prompt_cache_hit_tokens": 20})], (10, 1, 20, 0)),
        (
            "written to the cache",
            [
                chunk(
                    usage={
                        "prompt_tokens": 30,
                        "completion_tokens": 1,
                        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 10},
                    }
                )
            ],
            (15, 1, 5, 10),
        ),
        (
            "zeros until it is known, and a last frame that repeats the text",
            [
                chunk(usage={"total_tokens": 0, "total_characters": 0}),
                {
                    "id": "c1",
                    "model": "MiniMax-M2",
                    "object": "chat.completion",
                    "choices": [{"finish_reason": "stop", "message": {"content": "hello"}}],
                    "usage": {"total_tokens": 40, "prompt_tokens": 30, "completion_tokens": 10},
                },
                chunk(usage={"total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0}),
            ],
            (30, 10, 0, 0),
        ),
        (
            "reasoning beside the completion",
            [
                chunk(
                    usage={
                        "prompt_tokens": 5,
                        "completion_tokens": 2,
                        "total_tokens": 10,
                        "completion_tokens_details": {"reasoning_tokens": 3},
                    }
                )
            ],
            (5, 5, 0, 0),
        ),
        (
            "reasoning inside the completion",
            [
                chunk(
                    usage={
                        "prompt_tokens": 5,
                        "completion_tokens": 4,
                        "total_tokens": 9,
                        "completion_tokens_details": {"reasoning_tokens": 3},
                    }
                )
            ],
            (5, 4, 0, 0),
        ),
        (
            "reasoning beside a longer completion, as the total says",
            [
                chunk(
                    usage={
                        "prompt_tokens": 5,
                        "completion_tokens": 4,
                        "total_tokens": 12,
                        "completion_tokens_details": {"reasoning_tokens": 3},
                    }
                )
            ],
            (5, 7, 0, 0),
        ),
        (
            "more reasoning than completion, without a total",
            [chunk(usage={"prompt_tokens": 5, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}})],
            (5, 5, 0, 0),
        ),
        (
            "reasoning in a completion without a total",
            [chunk(usage={"prompt_tokens": 5, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 3}})],
            (5, 4, 0, 0),
        ),
        (
            "a cache beside a prompt too small for it",
            [chunk(usage={"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 40})],
            (9, 1, 40, 0),
        ),
        ("the same usage again in a last chunk", [chunk(usage={"prompt_tokens": 3, "completion_tokens": 2})] * 2, (3, 2, 0, 0)),
    ],
)
def test_a_chat_tells_its_usage_in_many_places(name: str, chunks: list[Any], known: tuple[int, ...]) -> None:
    """Wherever a server tells a chat's usage, it is one call with disjoint classes."""
    tokens = one(fed(C, [sse(chunks, done=True)])).tokens

    assert (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write_5m) == known


def test_names_stand_in_any_chunk() -> None:
    """The first chunk of some servers names nothing, and some name only some chunks: of what several say the last counts."""
    said = [
        chunk(id="", model="", service_tier=None),
        chunk(id="c1", model="asked", service_tier="auto"),
        chunk(id="chatcmpl-8e243c57-23b3-9db2-a02e", model="served", service_tier="flex"),
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}},
    ]
    event = one(fed(C, [sse(said, done=True)]))

    assert (event.message_id, event.model, event.tier) == ("chatcmpl-8e243c57-23b3-9db2-a02e", "served", "flex")


@pytest.mark.parametrize("kind", [C, R])
@pytest.mark.parametrize(("written", "known"), [(10, False), (0, True)])
def test_how_long_writes_live_is_not_said(kind: Kind, written: int, known: bool) -> None:
    """Servers in OpenAI's shape tell what was written to the cache and not for how long."""
    if kind is C:
        usage = {"prompt_tokens": 30, "completion_tokens": 1, "prompt_tokens_details": {"cache_write_tokens": written}}
        event = one(fed(C, [sse([chunk(usage=usage)])]))
    else:
        told = {"input_tokens": 30, "output_tokens": 1, "input_tokens_details": {"cache_write_tokens": written}}
        event = one(fed(R, [sse([{"type": "response.completed", "response": {"id": "resp_1", "usage": told}}])]))

    assert (event.tokens.input, event.tokens.cache_write_5m, event.ttl_known) == (30 - written, written, known)


@pytest.mark.parametrize("kind", [C, R])
def test_reasoning_is_never_more_than_the_output(kind: Kind) -> None:
    """Where the total says that reasoning lies inside the output, no more of the output is reasoning than there is."""
    if kind is C:
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 3}}
        event = one(fed(C, [sse([chunk(usage=usage)])]))
    else:
        told = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
        event = one(fed(R, [sse([{"type": "response.completed", "response": {"id": "resp_1", "usage": told}}])]))

    assert (event.tokens.output, event.reasoning) == (2, 2)


_COMPOUND = [
    {"model": "llama-3.3-70b-versatile", "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}},
    {
        "model": "openai/gpt-oss-120b",
        "usage": {"prompt_tokens": 300, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 80}},
    },
]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        (400, [("llama-3.3-70b-versatile", 100, 20, 0, 0, 0, None), ("openai/gpt-oss-120b", 220, 50, 80, 0, 0, None)]),
        (401, [("groq/compound", 321, 70, 80, 0, 0, None)]),
    ],
)
def test_a_compound_system_s_calls_are_those_of_its_models(streamed: bool, prompt: int, calls: list[Any]) -> None:
    """Groq says which models a system asked: their usage adds up to the reply's and stands in its place, never beside it."""
    usage = {"prompt_tokens": prompt, "completion_tokens": 70, "prompt_tokens_details": {"cached_tokens": 80}}
    breakdown = {"usage_breakdown": {"models": _COMPOUND}}
    told = chunk(model="groq/compound", usage=usage, **({"x_groq": breakdown} if streamed else breakdown))
    events = fed(C, [sse([told], done=True)] if streamed else [json.dumps(told).encode()], type=SSE if streamed else JSON)

    assert counts(events) == calls
    assert len({event.key for event in events if isinstance(event, UsageEvent)}) == len(calls)


def test_groq_counts_its_own_time() -> None:
    """A duration that the provider measured stands for ours: waiting and working, in milliseconds."""
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "queue_time": 0.0415, "total_time": 0.057}

    assert one(fed(C, [sse([chunk(usage=usage)])])).duration_ms == 99


def test_groqs_other_usage_is_none() -> None:
    """In a reply that is not streamed, `x_groq.usage` counts caches, and says nothing of the call."""
    told = chunk(x_groq={"usage": {"dram_cached_tokens": 3}}, usage={"prompt_tokens": 4, "completion_tokens": 2})

    assert counts(fed(C, [json.dumps(told).encode()], type=JSON)) == [("m", 4, 2, 0, 0, 0, None)]


@pytest.mark.parametrize(
    ("byok", "upstream", "cost"), [(False, 0.04, "0.0095"), (True, 0.04, "0.0495"), (True, None, None), (True, "?", None)]
)
def test_openrouters_cost_is_what_the_provider_states(byok: bool, upstream: object, cost: str | None) -> None:
    """With a key of the user's own the upstream's part comes on top: without it OpenRouter's fee is no cost of the call. Else it is
    information."""
    details = {"upstream_inference_cost": upstream}
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.0095, "is_byok": byok, "cost_details": details}
    event = one(fed(C, [b": OPENROUTER PROCESSING\n\n" + sse([chunk(usage=usage)], done=True)]))

    assert (event.logged_cost_usd, event.logged_cost_basis) == ((None, None) if cost is None else (Decimal(cost), "provider"))


@pytest.mark.parametrize(
    "failure", [{"error": {"code": 502}}, {"choices": [{"finish_reason": "error"}]}, {"x_groq": {"error": "over capacity"}}]
)
def test_an_error_in_a_chat_with_usage_counts_as_failed(failure: dict[str, Any]) -> None:
    """A stream that reports an error, wherever its server does so, and then its usage is a failed call that counts."""
    said = [chunk(**failure), chunk(usage={"prompt_tokens": 7, "completion_tokens": 1})]

    assert one(fed(C, [sse(said)])).status == "error"


def test_an_upstream_s_part_alone_is_no_cost() -> None:
    """Where OpenRouter does not say what it took, nobody states a cost."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "cost": None, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}}

    assert one(fed(C, [sse([chunk(usage=usage)])])).logged_cost_usd is None


def test_an_error_with_zeros_is_no_call() -> None:
    """MiniMax fails with status 200, an own status and zeros: nothing was used."""
    told = {"base_resp": {"status_code": 1008}, "usage": {"total_tokens": 0, "prompt_tokens": 0, "completion_tokens": 0}}

    assert fed(C, [json.dumps(told).encode()], type=JSON) == [Seen(what="no_usage")]


def test_a_broken_chat_is_no_call() -> None:
    """A chat whose usage never came is not estimated."""
    assert fed(C, [sse([chunk(choices=[{"delta": {"content": "hello"}}])])], ended="aborted") == [Seen(what="aborted_before_usage")]


# Responses, Gemini, Ollama


@pytest.mark.parametrize(("end", "status"), [("completed", "ok"), ("incomplete", "ok"), ("failed", "error")])
def test_usage_is_read_at_each_end_of_a_response(end: str, status: str) -> None:
    """A response that was cut short or failed has used what it says."""
    usage = {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 9, "total_tokens": 59}
    told = {"type": f"response.{end}", "response": {"id": "resp_1", "model": "m", "status": end, "usage": usage}}
    event = one(fed(R, [sse([{"type": "response.created", "response": {"usage": None}}, told])]))

    assert (event.tokens.input, event.tokens.cache_read, event.tokens.output, event.status) == (30, 20, 9, status)


def test_a_compaction_is_a_task() -> None:
    """The pass that compacts a thread is a call of its own, not the user's."""
    told = {"object": "response.compaction", "id": "resp_1", "usage": {"input_tokens": 50, "output_tokens": 9}}

    assert one(fed(R, [json.dumps(told).encode()], type=JSON)).initiator == "task"


def test_a_response_s_own_tier_id_and_cache_are_kept() -> None:
    """What was served and what was written to the cache stand in the last event; a gateway's other ids before it mean nothing."""
    details = {"cached_tokens": 20, "cache_write_tokens": 10}
    usage = {"input_tokens": 50, "input_tokens_details": details, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}}
    begun = {"type": "response.created", "response": {"id": "resp_first", "service_tier": "auto", "usage": None}}
    ended = {"type": "response.completed", "response": {"id": "resp_last", "model": "m", "service_tier": "flex", "usage": usage}}
    event = one(fed(R, [sse([begun, ended])]))

    assert (event.tokens.input, event.tokens.cache_read, event.tokens.cache_write_5m, event.tokens.output) == (20, 20, 10, 9)
    assert (event.message_id, event.tier, event.reasoning) == ("resp_last", "flex", 4)


def test_an_error_before_a_failed_response_is_the_same_failure() -> None:
    """An error and the failed response after it are one call."""
    failed = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "usage": {"input_tokens": 5, "output_tokens": 1}}}

    assert one(fed(R, [sse([{"type": "error", "code": "server_error"}, failed])])).status == "error"


def test_geminis_running_values_are_not_added() -> None:
    """Every chunk repeats what was used so far; a field that the last one leaves out stays."""
    first = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 2}, "responseId": "r"}
    last = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 7}, "modelVersion": "gemini-3"}

    assert counts(fed(G, [sse([first, last])])) == [("gemini-3", 9, 9, 0, 0, 0, 2)]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_gemini_stream_may_be_an_array(wrapped: bool) -> None:
    """Without `alt=sse` the chunks are one array; Code Assist wraps each."""
    told: dict[str, Any] = {
        "usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 5, "toolUsePromptTokenCount": 3, "candidatesTokenCount": 4}
    }
    said = [{"response": told} if wrapped else told] * 2

    assert counts(fed(G, [json.dumps(said).encode()], type=JSON)) == [(None, 7, 4, 5, 0, 0, None)]


def test_gemini_s_tier_and_errors_are_kept_and_its_live_name_of_the_output_is_read() -> None:
    """`responseTokenCount` stands for the candidates' count in live replies; an error after usage is a failed call that counts."""
    told = {"usageMetadata": {"promptTokenCount": 9, "responseTokenCount": 4, "serviceTier": "flex"}, "responseId": "r"}
    event = one(fed(G, [sse([told, {"error": {"code": 503}}])]))

    assert (event.tokens.output, event.tier, event.status) == (4, "flex", "error")


@pytest.mark.parametrize(("status", "known"), [("completed", "ok"), ("failed", "error")])
def test_an_interaction_tells_its_parts_apart(status: str, known: str) -> None:
    """30 in, of them 10 from the cache, 5 more by tools; 7 written and 3 thought: 25 uncached and 10 out."""
    usage = {
        "total_input_tokens": 30,
        "total_cached_tokens": 10,
        "total_tool_use_tokens": 5,
        "total_output_tokens": 7,
        "total_thought_tokens": 3,
        "total_tokens": 45,
    }
    told = {"id": "v1_interaction", "model": "gemini-3", "status": status, "service_tier": "priority", "usage": usage}
    streamed = one(fed(Kind.INTERACTIONS, [sse([{"event_type": "interaction.completed", "interaction": told}])]))
    whole = one(fed(Kind.INTERACTIONS, [json.dumps({"object": "interaction", **told}).encode()], type=JSON))

    assert counts([streamed, whole]) == [("gemini-3", 25, 10, 10, 0, 0, 3)] * 2
    assert [(event.status, event.message_id, event.tier) for event in (streamed, whole)] == [(known, "v1_interaction", "priority")] * 2


def test_a_prompt_that_was_blocked_has_been_used() -> None:
    """A blocked prompt is a call without output."""
    told = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}

    assert counts(fed(G, [json.dumps(told).encode()], type=JSON)) == [(None, 9, 0, 0, 0, 0, None)]


def test_ollamas_last_line_is_the_call() -> None:
    """Only the record that says `done` counts; nanoseconds become milliseconds."""
    lines = [
        {"model": "llama3", "message": {"content": "x"}, "done": False},
        {"model": "llama3", "done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 9, "total_duration": 4_883_583_458},
    ]
    event = one(fed(OLLAMA, [b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"], type="application/x-ndjson"))

    assert (event.model, event.tokens.input, event.tokens.output, event.duration_ms, event.logged_cost_usd) == ("llama3", 26, 9, 4883, None)


def test_ollamas_cached_prompt_lies_inside_the_prompt() -> None:
    """Newer builds say how much of the prompt was still known."""
    told = {"model": "llama3", "done": True, "prompt_eval_count": 26, "prompt_eval_cached_count": 20, "eval_count": 9}

    assert counts(fed(OLLAMA, [json.dumps(told).encode()], type=JSON)) == [("llama3", 6, 9, 20, 0, 0, None)]


def test_an_ollama_stream_that_was_cut_is_no_call() -> None:
    """Without the last record nothing says what was used."""
    said = b'{"model":"llama3","message":{"content":"x"},"done":false}\n'

    assert fed(OLLAMA, [said], type="application/x-ndjson", ended="aborted") == [Seen(what="aborted_before_usage")]


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_loading_a_model_is_no_call(reason: str) -> None:
    """Ollama answers to loading and unloading as to a call."""
    told = {"model": "llama3", "done": True, "done_reason": reason}

    assert fed(OLLAMA, [json.dumps(told).encode()], type=JSON) == [Seen(what="no_usage")]


# What is not counted


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/messages", A),
        ("/anthropic/v1/messages", A),
        ("/v1/chat/completions", C),
        ("/api/v1/chat/completions", C),
        ("/api/paas/v4/chat/completions", C),
        ("/v1/text/chatcompletion_v2", C),
        ("/v1/responses", R),
        ("/backend-api/codex/responses", R),
        ("/v1/responses/compact", R),
        ("/v1beta/models/gemini-3-pro:streamGenerateContent", G),
        ("/v1internal:generateContent", G),
        ("/v1beta/interactions", Kind.INTERACTIONS),
        ("/api/chat", OLLAMA),
        ("/v1/messages/count_tokens", Kind.NOT_COUNTED),
        ("/v1/messages/batches", Kind.NOT_COUNTED),
        ("/v1/embeddings", Kind.NOT_COUNTED),
        ("/v1beta/models/gemini-embedding-001:embedContent", Kind.NOT_COUNTED),
        ("/v1/images/generations", Kind.NOT_COUNTED),
        ("/v1/audio/transcriptions", Kind.NOT_COUNTED),
        ("/v1/something/new", Kind.UNKNOWN),
    ],
)
def test_the_path_tells_the_format(path: str, kind: Kind) -> None:
    """The format follows from the path alone, whoever the provider is."""
    assert kind_of("POST", path) is kind


def test_only_a_post_makes_a_call() -> None:
    """Asking again for a reply that was made before is no call."""
    assert kind_of("GET", "/v1/responses") is Kind.NOT_COUNTED


_FAILURE = {"type": "message", "id": "msg_failed", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 7}}


@pytest.mark.parametrize("status", [400, 429, 500, 502, 529])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_failure_that_tells_its_usage_is_a_call(status: int, coding: str) -> None:
    """A failed reply with a usage block was billed: it counts, as an error. So does a stream of one."""
    whole = json.dumps(_FAILURE).encode()
    streamed = sse([{"type": "message_start", "message": {**_FAILURE, "usage": {"input_tokens": 5}}}, delta(output_tokens=7)])

    for said, type in ((whole, JSON), (streamed, SSE)):
        packed = gzip.compress(said) if coding else said
        (call,) = fed(A, [packed], type=type, coding=coding, status=status)

        assert isinstance(call, UsageEvent)
        assert (call.tokens.input, call.tokens.output, call.status) == (5, 7, "error")


@pytest.mark.parametrize("status", [301, 400, 401, 429, 500, 529])
@pytest.mark.parametrize(
    ("said", "type"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"usage: too much"}}', JSON),
        (b'{"error": {"message": "You exceeded your usage', JSON),
        (b"<html>usage</html>", "text/html"),
        (b"", ""),
    ],
)
def test_a_failure_without_usage_is_no_call(status: int, said: bytes, type: str) -> None:
    """A reply that failed before it told any usage is counted by name, whatever else it says."""
    assert fed(A, [said], type=type, status=status) == [Seen(what="failed_before_usage")]


_FAKE: dict[str, Any] = {"input_tokens": 999, "output_tokens": 999, "prompt_tokens": 999, "completion_tokens": 999, "total_tokens": 1998}
_TEXTS = [
    json.dumps({"usage": _FAKE}),
    json.dumps(delta(**_FAKE)),
    "data: " + json.dumps(delta(**_FAKE)) + "\n\n",
    "\r\n\r\ndata: " + json.dumps(chunk(usage=_FAKE)) + "\r\n\r\n",
    "event: message_delta\ndata: " + json.dumps(delta(**_FAKE)) + "\n\ndata: [DONE]\n\n",
    '"},"usage":' + json.dumps(_FAKE) + ',"x":{"y":"',
    "\u2028data: " + json.dumps({"type": "response.completed", "response": {"usage": _FAKE}}) + "\u2028",
    json.dumps({"type": "message_start", "message": {"id": "msg_x", "usage": _FAKE}}),
    json.dumps({"done": True, "prompt_eval_count": 999, "eval_count": 999}),
    json.dumps({"usageMetadata": {"promptTokenCount": 999, "candidatesTokenCount": 999}}),
]


def _places(fake: Any) -> list[tuple[Kind, list[Any], str]]:
    """Content that a model or a tool may fill as it likes, in each format."""
    first, last = start(input_tokens=1, output_tokens=1), delta(output_tokens=2)
    chat_end = chunk(usage={"prompt_tokens": 1, "completion_tokens": 2})
    inside: list[tuple[Kind, list[Any], str]] = [
        (A, [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": fake}}], SSE),
        (A, [{"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": fake, "usage": _FAKE}}], SSE),
        (
            A,
            [
                {
                    "type": "content_block_start",
                    "content_block": {"type": "tool_use", "input": {"text": fake, "usage": _FAKE}},
                    "usage": _FAKE,
                }
            ],
            SSE,
        ),
        (
            A,
            [
                {
                    "type": "content_block_start",
                    "content_block": {"type": "web_search_tool_result", "content": [{"usage": _FAKE, "text": fake}]},
                }
            ],
            SSE,
        ),
        (C, [chunk(choices=[{"delta": {"content": fake, "usage": _FAKE}}]), chat_end], SSE),
        (C, [chunk(choices=[{"delta": {"tool_calls": [{"function": {"arguments": fake}, "usage": _FAKE}]}}]), chat_end], SSE),
        (R, [{"type": "response.output_text.delta", "delta": fake, "usage": _FAKE, "response": {"usage": _FAKE}}], SSE),
        (R, [{"type": "response.output_item.done", "item": {"arguments": fake, "usage": _FAKE}}], SSE),
        (
            G,
            [
                {
                    "candidates": [
                        {"content": {"parts": [{"text": fake}, {"functionCall": {"args": {"usageMetadata": {"promptTokenCount": 9}}}}]}}
                    ]
                }
            ],
            SSE,
        ),
        (
            OLLAMA,
            [{"message": {"content": fake, "prompt_eval_count": 99}, "done": False, "prompt_eval_count": 99, "eval_count": 99}],
            "application/x-ndjson",
        ),
    ]
    return [(kind, [first, *said, last] if kind is A else said, type) for kind, said, type in inside]


@pytest.mark.parametrize("text", range(len(_TEXTS)))
@pytest.mark.parametrize("place", range(10))
def test_usage_inside_of_content_is_text(place: int, text: int) -> None:
    """What a model, a tool or a page writes into a reply is never usage, whatever it looks like."""
    kind, said, type = _places(_TEXTS[text])[place]
    stream = sse(said) if type == SSE else b"".join(json.dumps(each).encode() + b"\n" for each in said)

    told = counts(fed(kind, [stream], type=type))

    assert told == {A: [("claude-sonnet-5", 1, 2, 0, 0, 0, None)], C: [("m", 1, 2, 0, 0, 0, None)]}.get(kind, [])


# What cannot be read


@pytest.mark.parametrize("bad", [-1, 2**41, "5", True, 1.5])
def test_a_number_that_cannot_be_believed_is_rejected(bad: object) -> None:
    """A reply whose counters are none is no call, and is told of."""
    (event,) = fed(C, [sse([chunk(usage={"prompt_tokens": bad, "completion_tokens": 5})])])

    assert isinstance(event, Rejected)


def test_words_between_the_records_harm_nothing() -> None:
    """A provider's remarks that are no JSON are passed over."""
    assert len(counts(fed(C, [b"data: hello\n\n", sse([chunk(usage={"prompt_tokens": 1, "completion_tokens": 1})])]))) == 1


def test_a_damaged_text_does_not_cost_the_usage_beside_it() -> None:
    """Half a surrogate in a text makes a record no proper JSON; its usage is read all the same."""
    record = b'{"id":"c1","model":"m","choices":[],"note":"\\ud800","usage":{"prompt_tokens":1,"completion_tokens":1}}'

    assert len(counts(fed(C, [b"data: " + record + b"\n\n"]))) == 1


def test_a_coding_that_is_not_understood_is_counted() -> None:
    """A reply in Brotli passes, and is told of."""
    assert fed(A, [b"\x8b\x00"], coding="br") == [Seen(what="uncaptured_coding")]
    assert fed(A, [b"not gzip at all"], coding="gzip") == [Seen(what="uncaptured_unreadable")]


def test_too_much_is_not_read() -> None:
    """A record of more than 16 MiB is given up, and so is a body that blows up."""
    huge = b"data: " + b"x" * (RECORD_BYTES + 1)
    bomb = zstandard.ZstdCompressor().compress(bytes(body.BODY_BYTES + (1 << 20)))

    assert fed(A, [huge]) == [Seen(what="uncaptured_too_long")]
    assert fed(A, [bomb], coding="zstd") == [Seen(what="uncaptured_too_long")]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_blows_up_is_not_held(coding: str) -> None:
    """A few KiB that become 100 MiB are given up at the bound of a record: hardly more than that is ever held of them."""
    bomb = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[coding](b"data: " + bytes(100 << 20))

    tracemalloc.start()
    try:
        assert fed(A, [bomb], coding=coding) == [Seen(what="uncaptured_too_long")]
        assert tracemalloc.get_traced_memory()[1] < 2 * RECORD_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pieces", [1, 7])
def test_what_came_before_some_damage_counts(pieces: int) -> None:
    """A compressed stream that is damaged later on has told its usage before, in whatever pieces it comes."""
    noise = random.Random(5).randbytes(20_000).hex()
    packed = bytearray(gzip.compress(sse([start(input_tokens=10, output_tokens=1), {"type": "ping", "noise": noise}]), mtime=0))
    packed[15_000] ^= 0xFF
    packed[15_001:15_040] = bytes(39)
    step = len(packed) // pieces + 1

    (event,) = fed(A, [bytes(packed[at : at + step]) for at in range(0, len(packed), step)], coding="gzip", ended="error")

    assert isinstance(event, UsageEvent)
    assert (event.tokens.input, event.tokens.output, event.status) == (10, 1, "error")


def test_an_event_of_ten_megabytes_is_read() -> None:
    """A long event is an event."""
    said = [{"type": "content_block_delta", "delta": {"text": "x" * (10 << 20)}}]
    stream = sse([start(input_tokens=1, output_tokens=1), *said, delta(output_tokens=3)])

    assert counts(fed(A, [stream])) == [("claude-sonnet-5", 1, 3, 0, 0, 0, None)]


def test_what_is_not_read_costs_nothing() -> None:
    """A reply that will not be read need not be fed."""
    assert not Capture(Kind.NOT_COUNTED, Head(status=200, content_type=JSON)).reads
    assert Capture(A, Head(status=200, content_type=JSON)).reads


def test_only_codings_that_are_understood_are_asked_for() -> None:
    """Brotli is taken out of what a client accepts, with its weight; the others stay as they are."""
    assert body.understood("gzip, deflate, br, zstd") == "gzip, deflate, zstd"
    assert body.understood("br;q=1.0, gzip;q=0.8, *;q=0.1") == "gzip;q=0.8"
    assert body.understood("br") == "identity"


# Identity


def test_short_names_are_no_identity() -> None:
    """A small server draws its ids from a few hundred: two calls that share one are two."""
    reply = Reply(model="m", tokens=Tokens(input=1), id="chatcmpl-123")
    ending = Ending(at=AT, duration_ms=5)

    assert event_of(exchange(C, name="x1"), ending, reply).key != event_of(exchange(C, name="x2"), ending, reply).key


def test_what_a_reply_leaves_out_its_exchange_tells() -> None:
    """The model that was asked for stands where a reply names none, our own time where the provider took none; a part of a reply has
    no time of its own."""
    asked, ending = exchange(C, model_asked="asked", request_id="req_1"), Ending(at=AT, duration_ms=7)
    silent, telling, part = (
        event_of(asked, ending, Reply(model=model, tokens=Tokens(input=1), id="chatcmpl-8e243c57-23b3", duration_ms=spent, part=part))
        for model, spent, part in ((None, None, ""), ("served", 5, ""), ("served", 5, "model0"))
    )

    assert [event.model for event in (silent, telling, part)] == ["asked", "served", "served"]
    assert [event.duration_ms for event in (silent, telling, part)] == [7, 5, None]
    assert len({silent.key, part.key}) == 2


def test_a_request_s_id_is_kept_where_agents_write_it_down_too() -> None:
    """Anthropic's request ids stand in transcripts; others' headers of that name mean a gateway's own numbers."""
    reply, ending = Reply(model="m", tokens=Tokens(input=1), id="msg_1"), Ending(at=AT, duration_ms=7)

    assert [event_of(exchange(kind, request_id="req_1"), ending, reply).request_id for kind in (A, C, R)] == ["req_1", None, None]


def test_a_name_of_the_providers_is_the_identity() -> None:
    """The same reply seen twice is one call."""
    reply = Reply(model="m", tokens=Tokens(input=1), id="chatcmpl-8e243c57-23b3-9db2-a02e-e3c53929c368")
    ending = Ending(at=AT, duration_ms=5)

    assert event_of(exchange(C, name="x1"), ending, reply).key == event_of(exchange(C, name="x2"), ending, reply).key


# Who asks


@pytest.mark.parametrize(
    ("said", "agent"),
    [
        ("claude-cli/2.1.30 (external, cli)", ("claude", "2.1.30")),
        ("codex_cli_rs/0.146.0 (Mac OS 26.1.0; arm64)", ("codex", "0.146.0")),
        ("opencode/1.2.3 ai-sdk/5", ("opencode", "1.2.3")),
        ("curl/8.5.0", ("unknown", None)),
        ("", ("unknown", None)),
    ],
)
def test_the_user_agent_tells_the_agent(said: str, agent: tuple[str, str | None]) -> None:
    """Agents name themselves in each request."""
    assert agent_of(said) == agent


def test_a_session_is_what_an_agent_names_so() -> None:
    """A session stands in one of the agents' own headers; nonsense in there is none."""
    assert session_of({"x-claude-code-session-id": "s-1"}) == "s-1"
    assert session_of({"session_id": "x" * 1000}) is None
