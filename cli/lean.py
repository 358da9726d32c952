"""msgspec, loaded without what it can do without.

Decides that a command which answers within a few hundredths of a second does not pay for `typing_extensions`, which msgspec takes
where it is installed and replaces by `typing` where it is not. That library, with the `inspect` that it loads, takes longer to load than
all of msgspec. From Python 3.11 on `typing` has everything that our structs are made of.
"""

import sys

_EXTENSIONS = "typing_extensions"


def load_msgspec() -> None:
    """msgspec is loaded. Whoever imports `typing_extensions` later gets it as ever."""
    if "msgspec" in sys.modules or _EXTENSIONS in sys.modules:
        return
    # None there makes an import fail, as if nobody had installed the library.
    sys.modules[_EXTENSIONS] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules[_EXTENSIONS]
