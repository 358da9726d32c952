"""The OpenAPI 3.1 document of the HTTP API, made from the table of routes and the structs of the contract.

Decides how a route is described to a machine. Nothing is described twice: names, types, bounds and words come from `routes` and `contract`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from cli import itself
from cli.serve.contract import envelope
from cli.serve.route import Route

_STREAMS = {
    "/metrics": ("text/plain",),
    "/api/events": ("text/event-stream",),
    "/api/usage/export": ("text/csv", "application/json", "application/x-ndjson", "application/vnd.apache.parquet"),
}
_ERRORS = {
    "400": "A parameter is unknown or wrong; `valid` names the values that are not.",
    "401": "No token and no session.",
    "403": "This role, this origin or this address may not ask that.",
    "default": "404: nothing is there. 405, 408, 411, 413, 414, 415, 431: not a request that is answered. 409: somebody else is at it. "
    "429: too many at once. 500, 503: the daemon failed, or cannot answer now.",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document, as it becomes JSON."""
    structs = [each for route in routes for each in (route.params, route.answer) if each is not None]
    kinds: list[Any] = list(dict.fromkeys([*structs, envelope.Failure]))
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind, components)
    params = {route.params.__name__ for route in routes if route.params is not None}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ringlet",
            "version": itself.version() or "unknown",
            "summary": "What your AI coding agents used and what it cost.",
        },
        "paths": paths,
        "components": {
            "schemas": _numbers({name: schema for name, schema in components.items() if name not in params}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`ringlet daemon token` prints it."},
                "session": {"type": "apiKey", "in": "cookie", "name": "ringlet-8765", "description": "After POST /api/login."},
            },
        },
    }


def _operation(route: Route, by_kind: dict[Any, dict[str, Any]], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{route.path.replace('/api', '').replace('/', '_').replace('-', '_')}",
        "summary": route.summary,
        "description": f"Role: {route.role}.",
        "responses": {"200": _success(route, by_kind)},
        "security": [] if route.role == "open" else [{"token": []}, {"session": []}],
    }
    failure = {"application/json": {"schema": by_kind[envelope.Failure]}}
    operation["responses"] |= {status: {"description": why, "content": failure} for status, why in _ERRORS.items()}
    if route.params is None:
        return operation
    if route.in_body:
        schema = _resolved(by_kind[route.params], components)
        operation["requestBody"] = {"required": bool(schema.get("required")), "content": {"application/json": {"schema": schema}}}
    else:
        operation["parameters"] = _parameters(_resolved(by_kind[route.params], components))
    return operation


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    found = []
    for name, told in schema["properties"].items():
        kept, description = _plain(told)
        parameter = {"name": name, "in": "query", "required": name in required, "schema": kept}
        found.append({**parameter, "description": description} if description else parameter)
    return found


def _plain(schema: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A parameter's schema and its description: what is left out is not sent as null."""
    kept = {
        name: value for name, value in schema.items() if name not in ("anyOf", "description") and not (name == "default" and value is None)
    }
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    description = schema.get("description")
    for option in options:
        inner, told = _plain(option)
        kept |= inner
        description = description or told
    if kept.get("type") == "string":
        # What a person would type: nothing empty, nothing that no keyboard has.
        kept.setdefault("minLength", 1)
    return kept, description


def _success(route: Route, by_kind: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if route.answer is None:
        content: dict[str, Any] = {kind: {} for kind in _STREAMS[route.path]}
        return {"description": "The answer itself, in no envelope.", "content": content}
    told = {
        "type": "object",
        "properties": {"success": {"const": True}, "data": by_kind[route.answer]},
        "required": ["success", "data"],
    }
    return {"description": "The answer.", "content": {"application/json": {"schema": told}}}


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = components[name] if name else schema
    return found


def _numbers(schema: Any) -> Any:
    """The schema with money as what it is on the wire: a number with all its digits."""
    if isinstance(schema, list):
        return [_numbers(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {"type": "number", "description": schema.get("description", "US dollars.")}
    return {name: _numbers(each) for name, each in schema.items()}
