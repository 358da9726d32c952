"""The compiled modules of short answers, written into one file.

Decides which modules are kept (ours, and those of Python and msgspec that came along) and how the file is written; `ringlet.__main__`
reads it. Like Python's own compiled files it can go at any time, is made anew where it is missing or old, and is done without where it
cannot be written.

    8 bytes     length of the head
    head        marshal of (interpreter, folder of the rooms, place by module)
    the rest    the code of one module after the other, each as marshal gives it
"""

import marshal
import os
import sys
from importlib.machinery import SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Protocol

    class Kept(Protocol):
        """`ringlet.__main__.Kept`."""

        names: ClassVar[tuple[str, ...]]
        made_by: ClassVar[str]
        rooms: str
        path: str
        places: dict[str, tuple[str, bool, int, int, int, int]]

        def find_spec(self, name: str) -> Any: ...
        def code(self, name: str) -> bytes: ...


def write(kept: "Kept") -> None:
    """Write the file anew: the modules that this process has loaded from sources, and those of the old file that are still as they were."""
    folder = os.path.dirname(kept.path)
    if not os.access(folder, os.W_OK):
        return  # Python finds the modules without it
    from pipeline.durable import write_over  # half a file under the right name would be an error in every command

    try:
        # Others may look for data beside their sources by way of Python's own loader.
        chosen = {*kept.names, *sys.stdlib_module_names, "msgspec"}
        names = {*kept.places, *(name for name in sys.modules if name.partition(".")[0] in chosen)}
        found = {name: _compiled(kept, name) for name in sorted(names)}
        write_over(kept.path, _file(kept, {name: module for name, module in found.items() if module is not None}))
    except (OSError, ValueError, ImportError, SyntaxError):
        pass


def _compiled(kept: "Kept", name: str) -> "tuple[str, bool, int, int, bytes] | None":
    """(source, whether it is a package, its time, its size, its code) of a module; None where it is no longer what was kept."""
    place = kept.places.get(name)
    if place is not None and kept.find_spec(name) is not None:
        return *place[:4], kept.code(name)
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        return None
    # Before the code is read: a source that changes meanwhile must look newer than its code.
    status = os.stat(spec.origin)
    code = spec.loader.get_code(name)
    return spec.origin, spec.submodule_search_locations is not None, status.st_mtime_ns, status.st_size, marshal.dumps(code)


def _file(kept: "Kept", modules: "dict[str, tuple[str, bool, int, int, bytes]]") -> bytes:
    head = b""
    length = -1
    # The offsets stand in the head that they count from.
    while len(head) != length:
        length = len(head)
        offset = 8 + length
        places: dict[str, tuple[object, ...]] = {}
        for name, (*facts, code) in modules.items():
            places[name] = (*facts, offset, len(code))
            offset += len(code)
        head = marshal.dumps((kept.made_by, kept.rooms, places))
    return len(head).to_bytes(8, "little") + head + b"".join(code for *_, code in modules.values())
