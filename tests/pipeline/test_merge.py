"""Which rows of a batch are one call."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import keys
from pipeline.batch import Batch
from pipeline.events import Tokens
from pipeline.merge import joined
from tests.pipeline.sightings import Sighting, batch

OTHERS = [keys.identity("test", name) for name in "abc"]
REPLY = keys.reply("m-1", "r-1")
MORE = [*OTHERS, *keys.implied(REPLY, 0, 0, 0), keys.reply("m-2", None)]
"""What a record may claim or offer beside its own names: also those of a reply that it is no record of."""

Named = tuple[bytes, tuple[bytes, ...], tuple[bytes, ...], Tokens]
"""Key, claims, offers, counts."""


@st.composite
def records(draw: st.DrawFn) -> Named:
    """A reply by message, by both of its names or by its request alone, or a record of another kind; it may claim or offer more."""
    tokens = Tokens(input=draw(st.integers(0, 1)), cache_read=draw(st.integers(0, 1)))
    message, request = draw(st.sampled_from([None, "m-1", "m-2"])), draw(st.sampled_from([None, "r-1", "r-2"]))
    names = keys.anthropic(message, request, tokens, sidechain=draw(st.booleans()), part=draw(st.sampled_from(["", "", "1"])))
    further = draw(st.lists(st.sampled_from(MORE), max_size=2)) if draw(st.booleans()) else []
    if names is None:
        return draw(st.sampled_from(OTHERS)), tuple(further[:1]), tuple(further[1:]), tokens
    key, claims, _ = names
    return key, (*claims, *further[:1]), tuple(further[1:]), tokens


def batch_of(given: list[Named]) -> Batch:
    made = batch(*(Sighting(key="x", message_id=None if keys.is_request(key) else "known") for key, *_ in given))
    made.key.content.clear()
    for row, (key, claims, offers, tokens) in enumerate(given):
        made.key.append(key)
        made.input[row], made.cache_read[row] = tokens.input, tokens.cache_read
        if claims:
            made.aliases[row] = claims
        if offers:
            made.offers[row] = offers
    return made


def closed(made: Batch, rows: list[int]) -> set[frozenset[int]]:
    """The calls among `rows`, by trying every pair until nothing joins any more."""
    calls = [{row} for row in rows]
    names = [({*made.claimed(row)}, {*made.claimed(row), *made.offered(row)}) for row in range(len(made))]
    while pair := next(
        ((a, b) for a in calls for b in calls if a is not b and any(names[one][0] & names[other][1] for one in a for other in b)), None
    ):
        pair[0].update(pair[1])
        calls.remove(pair[1])
    return {frozenset(call) for call in calls}


@settings(max_examples=300, deadline=None)
@given(st.lists(records(), min_size=1, max_size=9), st.data())
def test_rows_are_joined_by_what_one_of_them_claims(given: list[Named], data: st.DataObject) -> None:
    """Two rows are one call if they share an identity that one of them claims, said or implied, or if a chain of such rows leads from one
    to the other; rows that are left out join nothing."""
    made = batch_of(given)
    rows = data.draw(st.just(list(range(len(given)))) | st.lists(st.integers(0, len(given) - 1), min_size=1, unique=True).map(sorted))

    union = joined(made, rows)

    calls: dict[int, set[int]] = {}
    for row in rows:
        calls.setdefault(union.find(row), set()).add(row)
    assert {frozenset(call) for call in calls.values()} == closed(made, rows)


def test_a_request_that_a_record_of_another_kind_claims_is_that_of_its_reply() -> None:
    """The reply offers its request without saying so."""
    alone = next(name for name in keys.implied(REPLY, 0, 0, 0) if keys.is_request(name))
    made = batch_of([(OTHERS[0], (alone,), (), Tokens()), (OTHERS[1], (), (), Tokens()), (REPLY, (), (), Tokens())])

    assert joined(made, range(3)).sets() == [[0, 2]]
