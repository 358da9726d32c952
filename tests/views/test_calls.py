"""How rows of the log become calls with an owner and a cost."""

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import NOON, row, rows
from views.calls import costed, folded, listed, lost_elsewhere, owned, rated, recosted
from views.columns import CALLS, COSTS
from views.pricing.decision import decide

LOW = b"\x80" + bytes(15)
HIGH = b"\x81" + bytes(15)
MICRO = 10**12
SONNET = (3 * MICRO, 15 * MICRO, 15 * MICRO, 3 * MICRO // 10, 375 * MICRO // 100, 6 * MICRO, 10**16)


def priced(*made: dict[str, Any], rates: Any = SONNET, billed: bool = True, mode: str = "auto") -> pl.DataFrame:
    """Rows folded, owned by `default` and priced with one set of rates."""
    calls = owned(folded(rows(*made)), lambda *facts: ("default", facts[4], billed))
    return costed(rated(calls, lambda *_: rates, steps=(), is_timed=lambda *_: False).lazy(), mode=mode).collect()


def test_difference_adds_to_its_call() -> None:
    """A difference row adds its numbers to the call of its key and brings the better record's facts."""
    calls = folded(
        rows(
            row(output=5, rank=LOW, status="ok"),
            row(kind="difference", requests=0, output=37, input=-1, rank=HIGH, at=NOON.replace(second=9)),
        )
    )

    assert calls.select("output", "input", "at").rows() == [(42, -1, NOON.replace(second=9))]


def test_retracted_call_is_gone() -> None:
    """A call whose rows add up to no request is not a call any more."""
    assert folded(rows(row(output=5), row(kind="retraction", requests=-1, output=-5))).is_empty()


def test_call_after_retraction_has_its_own_dimensions() -> None:
    """Where a call was retracted and told anew on one date, the new record's dimensions stand, never the retraction's."""
    calls = folded(
        rows(
            row(output=5, model="old", owner_rank=9),
            row(kind="retraction", requests=-1, output=-5, model="old", owner_rank=9),
            row(output=8, model="new", owner_rank=3),
        )
    )

    assert calls.select("model", "output").rows() == [("new", 8)]


def test_equal_ranks_follow_the_owner() -> None:
    """Among records of equal rank the one with the smallest owner rank names session and project."""
    calls = folded(
        rows(
            row(session="parent", owner_rank=1),
            row(kind="retraction", requests=-1, session="child", owner_rank=7),
            row(session="child", owner_rank=7),
        )
    )

    assert calls["session"].to_list() == ["parent"]


def test_unknown_stays_unknown() -> None:
    """A number that no row of a call knows stays null; one that some row knows is the sum of those."""
    calls = folded(rows(row(), row(kind="difference", requests=0, duration_ms=1200)))

    assert calls.select("reasoning", "duration_ms").rows() == [(None, 1200)]


def test_call_of_two_machines_counts_once() -> None:
    """A call that two machines hold is one call, with the better record's numbers."""
    calls = folded(rows(row(machine="a", output=5, rank=LOW), row(machine="b", output=9, rank=HIGH), row(key="other", machine="a")))

    assert sorted(calls.select("machine", "output").rows()) == [("a", 0), ("b", 9)]


def test_better_record_on_another_date_wins() -> None:
    """Where two machines date one call differently, the worse record is named as lost and left out of its date."""
    earlier, later = row(machine="a", rank=LOW), row(machine="b", rank=HIGH, at=NOON.replace(day=2))
    lost = lost_elsewhere(rows(earlier, later, row(key="other", machine="a")), {})

    assert lost.select("date", "machine").rows() == [(earlier["date"], "a")]
    assert folded(rows(earlier, row(key="third", machine="b")), lost=lost)["key"].to_list() == [b"third".ljust(16, b"\0")]
    assert folded(rows(earlier), lost=lost).is_empty()


def test_machines_may_know_a_call_by_different_names() -> None:
    """Of the records of one call under two keys the best counts; `same` says that they are one."""
    one, other = row(key="a", machine="a", rank=LOW), row(key="b", machine="b", rank=HIGH)
    lost = lost_elsewhere(rows(one, other), {b"b".ljust(16, b"\0"): b"a".ljust(16, b"\0")})

    assert lost.select("machine").rows() == [("a",)]


def test_owner_is_asked_once_per_combination() -> None:
    """Rules are asked once for each distinct agent, home, project, own profile and provider, however many calls share it."""
    asked = []

    def ownership(*facts: str | None) -> tuple[str, str | None, bool]:
        asked.append(facts)
        return ("shop" if facts[2] == "/src/shop" else "default", facts[4], True)

    calls = owned(rows(row(), row(key="b"), row(key="c", project=None)), ownership)

    assert calls["profile"].to_list() == ["shop", "shop", "default"]
    assert len(asked) == 2


def test_parts_of_a_cost() -> None:
    """S0's example: its tokens at its Sonnet prices cost 0.375 + 0.675 + 0.0375 + 0.015 = 1.1025 dollars."""
    call = priced(row(input=125_000, output=45_000, cache_write_5m=10_000, cache_read=50_000)).row(0, named=True)

    assert [call[part] for part in COSTS] == [Decimal("0.375"), Decimal("0.675"), Decimal("0.0375"), Decimal("0.015"), Decimal(0)]
    assert (call["cost_usd"], call["cost_status"]) == (Decimal("1.1025"), "priced")


def test_searches_are_other_cost() -> None:
    """Two web searches at a cent each are two cents of other cost."""
    call = priced(row(web_searches=2)).row(0, named=True)

    assert (call["other_cost"], call["cost_usd"]) == (Decimal("0.02"), Decimal("0.02"))


def test_reasoning_has_its_own_rate() -> None:
    """Reasoning is part of output: 40 of 100 tokens at the reasoning rate, 60 at the output rate."""
    rates = (0, 2 * MICRO, 10 * MICRO, 0, 0, 0, 0)

    assert priced(row(output=100, reasoning=40), rates=rates)["cost_usd"].to_list() == [Decimal("0.00052")]


def test_no_price_is_no_cost() -> None:
    """A call without a known price has null cost in all parts and says that it is unpriced."""
    call = priced(row(input=5), rates=None).row(0, named=True)

    assert [call[name] for name in (*COSTS, "cost_usd")] == [None] * 6
    assert call["cost_status"] == "unpriced"


def test_call_of_a_local_provider_is_not_billed() -> None:
    """A call that nobody bills per token has no cost, even where the log states one, and does not count as unpriced."""
    call = priced(row(input=5, logged_cost_usd=Decimal(1), logged_cost_basis="provider"), billed=False).row(0, named=True)

    assert (call["cost_usd"], call["cost_status"]) == (None, "not_billed")


def test_logged_costs_by_mode() -> None:
    """`auto` takes a provider's stated cost before the price book and an agent's estimate only after it; the other modes take one each."""
    provider = row(input=1_000_000, logged_cost_usd=Decimal("2.5"), logged_cost_basis="provider")
    agent = row(input=1_000_000, logged_cost_usd=Decimal("2.5"), logged_cost_basis="agent")

    def cost(call: dict[str, Any], mode: str, rates: Any = SONNET) -> list[Decimal | None]:
        return priced(call, rates=rates, mode=mode)["cost_usd"].to_list()

    assert [cost(provider, mode) for mode in ("auto", "calculate", "logged")] == [[Decimal("2.5")], [Decimal(3)], [Decimal("2.5")]]
    assert [cost(agent, mode) for mode in ("auto", "calculate", "logged")] == [[Decimal(3)], [Decimal(3)], [Decimal("2.5")]]
    assert [cost(agent, mode, None) for mode in ("auto", "calculate")] == [[Decimal("2.5")], [None]]


def test_off_peak_hours_are_asked_for_wherever_somebody_pays() -> None:
    """Where one profile's calls of a timed model are not billed, those of another, which are, still pay by the minute."""
    calls = owned(folded(rows(row(project="/free"), row(key="b"))), lambda *facts: ("any", facts[4], facts[2] != "/free"))
    asked: list[Any] = []
    rated(calls, lambda *shape: asked.append(shape), steps=(), is_timed=lambda *_: True)

    assert [shape[-1] for shape in asked] == [12 * 60]


def test_modes_can_be_asked_of_listed_calls() -> None:
    """A row of `calls/` holds all that another cost mode needs."""
    kept = listed(priced(row(input=1_000_000, logged_cost_usd=Decimal("2.5"), logged_cost_basis="provider")))

    assert list(kept.columns) == list(CALLS)
    assert recosted(kept.lazy(), "calculate").collect()["cost_usd"].to_list() == [Decimal(3)]


def test_shape_holds_step_and_minute() -> None:
    """Rates are asked for with the number of thresholds that the whole prompt exceeds, and the minute where the price depends on it.

    What a turn of several calls used together exceeds none.
    """
    asked = []

    def rates(*shape: Any) -> None:
        asked.append(shape[6:])

    made = rows(
        row(input=1, cache_read=200_000),
        row(key="b", cache_write_1h=200_000),
        row(key="c", model="deepseek-chat", at=NOON.replace(minute=30)),
        row(key="d", cache_read=900_000, granularity="turn"),
    )
    rated(
        owned(made, lambda *facts: ("p", facts[4], True)),
        rates,
        steps=(128_000, 200_000),
        is_timed=lambda *listing: listing[1] == "deepseek-chat",
    )

    assert sorted(asked, key=str) == [(0, 750), (0, None), (1, None), (2, None)]


def test_estimate_of_zero_is_no_cost() -> None:
    """An agent that writes 0 for a model without a known price did not know it either."""
    call = row(input=5, logged_cost_usd=Decimal(0), logged_cost_basis="agent")

    assert priced(call, rates=None)["cost_status"].to_list() == ["unpriced"]


MODES = st.sampled_from(["auto", "calculate", "logged"])
LOGGED = st.one_of(st.none(), st.integers(0, 3 * 10**18))


@settings(max_examples=times(60), deadline=None)
@given(MODES, st.booleans(), st.one_of(st.none(), st.just(SONNET)), LOGGED, st.sampled_from(["provider", "agent"]))
def test_columns_decide_as_pricing_does(mode: str, billed: bool, rates: Any, logged: int | None, basis: str) -> None:
    """A call's status and parts are what `pricing.decision.decide` says of it, under every mode."""
    usd = None if logged is None else Decimal(logged).scaleb(-18)
    call = priced(row(input=7, logged_cost_usd=usd, logged_cost_basis=basis), rates=rates, billed=billed, mode=mode).row(0, named=True)
    status, parts, _ = decide(mode, billed, None if rates is None else (21 * MICRO, 0, 0, 0, 0), logged, basis)

    assert call["cost_status"] == status
    assert [call[part] for part in COSTS] == ([None] * 5 if parts is None else [Decimal(part).scaleb(-18) for part in parts])


COUNT = st.integers(min_value=0, max_value=2**40)
RATE = st.integers(min_value=0, max_value=10**15)


@settings(max_examples=times(60), deadline=None)
@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT, st.integers(0, 1000)), min_size=1, max_size=8), st.tuples(*[RATE] * 7))
def test_money_is_exact(calls: list[tuple[int, ...]], rates: tuple[int, ...]) -> None:
    """For every count that is believed and every rate to the last of 18 decimals, the cost equals the one that Decimal works out."""
    made = [
        row(key=str(number), input=i, output=o, cache_read=r, cache_write_5m=w, cache_write_1h=h, web_searches=s)
        for number, (i, o, r, w, h, s) in enumerate(calls)
    ]
    usd = [Decimal(rate).scaleb(-18) for rate in rates]
    expected = [i * usd[0] + o * usd[1] + r * usd[3] + w * usd[4] + h * usd[5] + s * usd[6] for i, o, r, w, h, s in calls]
    got = priced(*made, rates=rates)

    assert got["cost_usd"].to_list() == expected
    assert got["cost_usd"].sum() == sum(expected)
