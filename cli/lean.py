"""msgspec, loaded without what it can do without.

Decides that a command which answers within a few hundredths of a second does not pay for

- `typing_extensions`, which msgspec takes where it is installed and replaces by `typing` where it is not: with the `inspect` that it loads
  it takes longer than all of msgspec, and from Python 3.11 on `typing` has everything that our structs are made of;
- `platform`, which `uuid` loads to ask one question, and which compiles a dozen patterns before it answers.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_EXTENSIONS = "typing_extensions"
_PLATFORM = "platform"


def load_msgspec() -> None:
    """msgspec is loaded. Whoever imports `typing_extensions` or `platform` later gets them as ever."""
    if "msgspec" in sys.modules:
        return
    stands_in: dict[str, ModuleType | None] = {}
    if _EXTENSIONS not in sys.modules:
        # None there makes an import fail, as if nobody had installed the library.
        stands_in[_EXTENSIONS] = None
    if _PLATFORM not in sys.modules and hasattr(os, "uname"):
        stands_in[_PLATFORM] = _platform()
    sys.modules.update(stands_in)  # type: ignore[arg-type]
    try:
        import msgspec  # noqa: F401
    finally:
        for name in stands_in:
            del sys.modules[name]


def _platform() -> "ModuleType":
    """A module that answers what `uuid` asks."""
    module = type(sys)(_PLATFORM)
    module.system = lambda: os.uname().sysname  # type: ignore[attr-defined]
    return module
