"""msgspec, loaded without what it can do without.

Decides that a command which answers within a few hundredths of a second does not pay for

- `typing_extensions`, which msgspec takes where it is installed and replaces by `typing` where it is not: with the `inspect` that it loads
  it takes longer than all of msgspec, and from Python 3.11 on `typing` has everything that our structs are made of;
- `platform`, of which `uuid` asks one thing, and which compiles a dozen patterns before it answers;
- `textwrap`, which tidies the descriptions in a JSON schema, should one be made.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def load_msgspec() -> None:
    """msgspec is loaded. Whoever imports one of the others later gets it as ever."""
    if "msgspec" in sys.modules:
        return
    # None there makes an import fail, as if nobody had installed the library.
    instead: dict[str, ModuleType | None] = {"typing_extensions": None, "textwrap": _later("textwrap")}
    if hasattr(os, "uname"):
        instead["platform"] = _later("platform", system=lambda: os.uname().sysname)
    instead = {name: module for name, module in instead.items() if name not in sys.modules}
    sys.modules.update(instead)  # type: ignore[arg-type]
    try:
        import msgspec  # noqa: F401
    finally:
        for name, module in instead.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _later(name: str, **known: object) -> "ModuleType":
    """A module that knows a few of its names and loads the real one when it is asked for another."""
    module = type(sys)(name)

    def asked(wanted: str) -> object:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        from importlib import import_module

        return getattr(import_module(name), wanted)

    module.__dict__.update(known, __getattr__=asked)
    return module
