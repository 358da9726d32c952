"""What counts of a chat in OpenAI's format, whoever speaks it, each rule by a reply made for it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from ingest.wire.recognise import Kind
from pipeline.events import Seen, UsageEvent
from tests.ingest.wired import JSON, SSE, chunk, counts, fed, one, sse

C, R = Kind.CHAT, Kind.RESPONSES


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
