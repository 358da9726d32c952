"""The rooms: which way imports run, that they never run in a circle, and which library belongs to which room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "ingest": {"ingest", "pipeline"},
    "views": {"views", "pipeline"},
    "cli": {"cli", "ingest", "views", "pipeline"},
    "ringlet": {"ringlet", "cli"},
}
HOME_OF = {
    "sqlite3": "pipeline",
    "pyarrow": "pipeline",
    "watchdog": "ingest",
    "zstandard": "ingest",
    "polars": "views",
    "typer": "cli",
    "rich": "cli",
    "aiohttp": "cli",
    "altair": "cli",
    "vl_convert": "cli",
}
DURABLE = "pipeline/durable.py"
MODULES = sorted(path.relative_to(ROOT).as_posix() for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imports(module: str) -> Iterator[tuple[int, str]]:
    """Every import of a module, wherever it stands in it: (line, dotted name), `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse((ROOT / module).read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute and start with the room"
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def own(name: str) -> str | None:
    """The module of ours that a dotted name leads to."""
    parts = name.split(".")
    while parts:
        path = "/".join(parts)
        for candidate in (f"{path}.py", f"{path}/__init__.py"):
            if candidate in MODULES:
                return candidate
        parts.pop()
    return None


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    """ingest -> pipeline <- views, cli -> all: a room imports only the rooms below it, and ingest and views never meet."""
    room = module.split("/")[0]
    wrong = [
        f"{module}:{line} imports {name}"
        for line, name in imports(module)
        if (other := name.split(".")[0]) in MAY_IMPORT and other not in MAY_IMPORT[room]
    ]

    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_found_only_in_its_room(module: str) -> None:
    """SQL and Arrow are pipeline's, watching and decompression ingest's, Polars views', terminal and HTTP cli's."""
    room = module.split("/")[0]
    wrong = [f"{module}:{line} imports {name}" for line, name in imports(module) if HOME_OF.get(name.split(".")[0], room) != room]

    assert wrong == []


def test_no_import_loops() -> None:
    """No module leads back to itself by its imports, not even by one inside a function."""
    graph = {module: {other for _, name in imports(module) if (other := own(name)) and other != module} for module in MODULES}
    while free := [module for module, needs in graph.items() if not needs]:
        for module in free:
            del graph[module]
        for needs in graph.values():
            needs.difference_update(free)

    # What remains stands in a circle or needs one.
    assert {module: sorted(needs) for module, needs in graph.items()} == {}


@pytest.mark.parametrize("module", [module for module in MODULES if module.endswith("__init__.py")])
def test_packages_are_empty(module: str) -> None:
    """An `__init__.py` holds nothing, so importing one module of a room never costs another."""
    assert (ROOT / module).read_bytes() == b""


@pytest.mark.parametrize("module", [module for module in MODULES if module != DURABLE])
def test_only_durable_makes_things_durable(module: str) -> None:
    """fsync and rename stand in one module, so that one place decides what survives a power cut."""
    calls = {"fsync", "fdatasync", "rename", "renames", "replace", "link"}
    wrong = [
        f"{module}:{node.lineno} os.{node.attr}"
        for node in ast.walk(ast.parse((ROOT / module).read_bytes()))
        if isinstance(node, ast.Attribute) and node.attr in calls and isinstance(node.value, ast.Name) and node.value.id in ("os", "posix")
    ]

    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_decides(module: str) -> None:
    """Every module that holds anything opens with a docstring."""
    tree = ast.parse((ROOT / module).read_bytes())

    assert not tree.body or ast.get_docstring(tree)
