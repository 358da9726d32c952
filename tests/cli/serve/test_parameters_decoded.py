"""How parameters come from an address or a body."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.serve.decode import BadParameter, Nothing, parameters


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of all kinds."""

    name: Annotated[str, msgspec.Meta(max_length=5)] | None = None
    kind: Literal["csv", "json"] = "csv"
    number: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    raw: bool = False
    since: str | None = msgspec.field(default=None, name="from")
    limit: int | None = None


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that must be there."""

    code: str


def wrong(query: str = "", body: bytes = b"", kind: type[msgspec.Struct] = Wanted) -> BadParameter:
    with pytest.raises(BadParameter) as found:
        parameters(kind, query, body)
    return found.value


def test_text_of_an_address_becomes_what_the_struct_wants() -> None:
    """Numbers, truth and names by which the API calls a field are found in the query."""
    assert parameters(Wanted, "name=a%20b&kind=json&number=7&raw=true&from=x") == Wanted(
        name="a b", kind="json", number=7, raw=True, since="x"
    )


def test_without_parameters_the_defaults_hold() -> None:
    """Nothing given is no mistake."""
    assert parameters(Wanted, "") == Wanted()
    assert parameters(Nothing, "") == Nothing()


def test_an_unknown_parameter_is_named_with_those_that_there_are() -> None:
    """It is never ignored: a misspelt filter would answer another question."""
    error = wrong("nmae=x")

    assert (error.where, error.valid) == ("nmae", ("name", "kind", "number", "raw", "from", "limit"))
    assert wrong("x=1", kind=Nothing).where == "x"


def test_a_value_that_is_none_of_few_is_told_with_them() -> None:
    """The valid values are listed; the wrong one is not repeated."""
    error = wrong("kind=sk-secret")

    assert (error.where, error.valid) == ("kind", ("csv", "json"))
    assert wrong("raw=maybe").valid == ("true", "false")
    assert "sk-secret" not in str(error)


def test_null_is_a_word_like_any_other() -> None:
    """In an address it is no number and a fine name; in JSON it is nothing."""
    assert wrong("limit=null").where == "limit"
    assert parameters(Wanted, "name=null") == Wanted(name="null")
    assert parameters(Wanted, "", b'{"limit": null}') == Wanted()


@pytest.mark.parametrize(
    "query", ["number=x", "number=0", "number=101", "number=1.5", "number=1e400", "number=", "number=%31%30%31", "raw=maybe"]
)
def test_a_value_of_another_kind_names_its_parameter(query: str) -> None:
    """Out of range, no number, no truth: each is told by the parameter's name."""
    assert wrong(query).where in ("number", "raw")


@pytest.mark.parametrize(
    "query", ["name", "=x", "&name=x", "name=x&", "name=%ff", "name=%ed%a0%80", "name=x&name=x", "name=x&name=y", "name=%00", "name=%0a"]
)
def test_a_query_that_can_be_read_two_ways_is_not_read(query: str) -> None:
    """Repeated, unnamed or empty parameters, bytes that are no text, and control characters are mistakes."""
    wrong(query)


def test_a_body_is_a_json_object() -> None:
    """Its members are parameters like those of the address; one may not be given in both."""
    assert parameters(Needed, "", b'{"code": "x"}') == Needed(code="x")
    assert wrong("code=y", b'{"code": "x"}', Needed).where == "code"
    assert wrong("", b"{}", Needed).where == "code"
    assert wrong("", b'{"code": 1}', Needed).where == "code"
    assert wrong("", b'{"code": "x", "more": 1}', Needed).where == "more"


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b'{"code":"\xff"}', b'{"code":"\\ud800"}', b'{"code":' + b"[" * 100_000])
def test_any_other_body_is_a_mistake(body: bytes) -> None:
    """Also one that is nested too deeply to read."""
    wrong("", body, Needed)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60), st.binary(max_size=60))
def test_whatever_comes_is_parameters_or_a_mistake(query: str, body: bytes) -> None:
    """No address and no body makes it fail in any other way."""
    for kind in (Wanted, Needed, Nothing):
        try:
            found: msgspec.Struct = parameters(kind, query, body)
        except BadParameter:
            continue
        assert isinstance(found, kind)
