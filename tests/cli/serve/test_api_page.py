"""`docs/api.md` and the OpenAPI document say what the table of routes says."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.serve.contract import envelope, inventory
from cli.serve.openapi import document
from cli.serve.route import Route
from cli.serve.routes import ROUTES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
SECTIONS: dict[str, str] = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
COMMON = SECTIONS["What every answer has"] + SECTIONS["Filters"]
DOCUMENT = document(ROUTES)


def section(route: Route) -> str:
    return SECTIONS.get(f"{route.method} {route.path}") or SECTIONS["Sessions"]


def names(kind: Any) -> set[str]:
    """All names of fields below a struct, as they are on the wire."""
    found: set[str] = set()
    info = msgspec.inspect.type_info(kind)

    def walk(one: Any) -> None:
        if isinstance(one, msgspec.inspect.StructType):
            for field in one.fields:
                found.add(field.encode_name)
                walk(field.type)
        for inner in ("item_type", "value_type"):
            if hasattr(one, inner):
                walk(getattr(one, inner))
        for each in getattr(one, "types", ()):
            walk(each)

    walk(info)
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_page_names_all_of_a_route(route: Route) -> None:
    """Each route has its place on the page, with every parameter that it takes and every field that its answer has."""
    text = section(route) + COMMON
    assert f"{route.method} {route.path}" in SECTIONS or f"`{route.method} {route.path}`" in SECTIONS["Sessions"]
    due = {name for kind in (route.params, route.answer) if kind is not None for name in names(kind)}

    assert sorted(name for name in due if f"`{name}`" not in text) == []


def test_the_page_names_no_other_route() -> None:
    """What has gone from the table has gone from the page."""
    told = set(re.findall(r"(?:^## |`)((?:GET|POST) /\S+?)(?:`|$)", PAGE, re.MULTILINE))

    assert told == {f"{route.method} {route.path}" for route in ROUTES} | {"GET /api/openapi.json"}


def test_the_document_describes_every_route() -> None:
    """Each method of each path, with its parameters, its answer in the envelope and its errors."""
    assert {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods} == {
        (route.path, route.method) for route in ROUTES
    }
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.path][route.method.lower()]
        given = {each["name"] for each in operation.get("parameters", [])}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {}).get("properties", {})
        assert given | set(body) == (set() if route.params is None else set(route.params.__struct_fields__))
        assert {"200", "400", "default"} <= set(operation["responses"])
        assert (operation["security"] == []) == (route.role == "open")


def test_every_reference_of_the_document_leads_somewhere() -> None:
    """No schema is named that is not there."""
    text = msgspec.json.encode(DOCUMENT).decode()
    named = set(re.findall(r"#/components/schemas/([A-Za-z]+)", text))

    assert named <= set(DOCUMENT["components"]["schemas"])
    assert '"decimal"' not in text


def test_money_is_a_number_with_all_its_digits() -> None:
    """A cost of 18 decimals is written out, not rounded to a binary fraction and not put in quotes."""
    rate = inventory.Rate(
        prompt_over=0,
        input=Decimal("0.123456789012345678"),
        output=Decimal("15"),
        **dict.fromkeys(("reasoning", "cache_read", "cache_write_5m", "cache_write_1h"), Decimal(0)),
    )

    assert envelope.Json.encode(rate).startswith(b'{"prompt_over":0,"input":0.123456789012345678,"output":15,')
