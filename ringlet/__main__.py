"""The program `ringlet`: makes the rooms importable and hands the command line to the gate.

Decides where the rooms lie, how their modules are found, and that no file of ours is ever readable by others. Imports as little as it can:
a command that must answer within milliseconds begins and ends here.

Python takes as long to find the twenty modules of a short answer, each by its own look at its folder, its source and its compiled file, as
the answer itself takes. So the compiled modules of short answers also lie in one file, written by `cli.kept`. As with Python's own
compiled files a module is taken from there only while its source has the size and time that it had.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import ClassVar

    Place = tuple[str, bool, int, int, int, int]


def main() -> int:
    """Run the command line of this process and return its exit code."""
    os.umask(0o077)
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_what_is_closed()
    package = os.path.dirname(os.path.abspath(__file__))
    rooms = os.path.join(package, "rooms")
    if os.path.isdir(rooms):
        # An installation holds the rooms inside this package; in a checkout they lie beside it, already importable.
        sys.path.insert(0, rooms)
    else:
        rooms = os.path.dirname(package)
    kept = Kept(rooms, f"{package}/__pycache__/rooms.{sys.implementation.cache_tag}.kept")
    sys.meta_path.insert(0, kept)
    from cli.gate import main as gate  # only now is the room found

    code = gate(sys.argv[1:])
    threading = sys.modules.get("threading")
    if threading is None and kept.missed and not sys.dont_write_bytecode:
        from cli.kept import write  # once after each installation or change of a source

        write(kept)
    if threading is None or threading.active_count() == 1:
        _end(code)
    return code


class Kept:
    """A finder and loader of those modules that lie in one file, compiled."""

    names: "ClassVar[tuple[str, ...]]" = ("pipeline", "ingest", "views", "cli")
    made_by: "ClassVar[str]" = f"{sys.version} {sys.flags.optimize}"
    """Whose compiled code can be run."""

    def __init__(self, rooms: str, path: str) -> None:
        self.rooms = rooms
        self.path = path
        self.places: dict[str, Place] = {}
        """By module: its source, whether that is a package's, its time in ns and size; offset and length in the file."""
        self.missed = False
        """Whether a module of the rooms was asked for that does not lie there, or no longer as it is."""
        self._file = -1
        import marshal  # part of the interpreter, as Python's own compiled files need it

        self.loads = marshal.loads
        try:
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
            size = int.from_bytes(os.read(self._file, 8), "little")
            made_by, where, places = self.loads(os.read(self._file, min(size, _MOST)))
            if (made_by, where) == (self.made_by, rooms):
                self.places = places
        except (OSError, ValueError, EOFError, TypeError):
            pass  # then Python finds them as ever

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> "ModuleSpec | None":
        """As an import asks; None for what does not lie here."""
        place = self.places.get(name)
        if place is not None:
            source = place[0]
            try:
                status = os.stat(source)
            except OSError:
                return None
            if (status.st_mtime_ns, status.st_size) == place[2:4]:
                spec = _Spec(name, self, origin=source, is_package=place[1])  # type: ignore[arg-type]
                if place[1]:
                    spec.submodule_search_locations = [os.path.dirname(source)]
                return spec
        if name.partition(".")[0] in self.names:
            self.missed = True
        return None

    def create_module(self, spec: "ModuleSpec") -> None:
        """A module as any other."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        module.__file__ = module.__spec__.origin  # type: ignore[union-attr]
        exec(self.loads(self.code(module.__name__)), module.__dict__)

    def code(self, name: str) -> bytes:
        """The compiled code of one that lies here."""
        *_, offset, length = self.places[name]
        if hasattr(os, "pread"):
            # Not the file's own position: a forked process shares that.
            return os.pread(self._file, length, offset)
        os.lseek(self._file, offset, os.SEEK_SET)
        return os.read(self._file, length)


_MOST = 1_000_000
"""Bytes of a head: more is none."""
_Spec = type(sys.__spec__)


def _end(code: int) -> None:
    """End this process, in which nobody else is at work and everything is written and closed.

    The interpreter's own end takes module after module apart, which takes a tenth of the time of a short answer, and as long as that whole
    answer after a large import.
    """
    atexit = sys.modules.get("atexit")
    if atexit is not None:
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def _open_what_is_closed() -> None:
    """Whoever started us closed a standard file: the next file that is opened must not take its place, and what is written goes nowhere."""
    while os.open(os.devnull, os.O_RDWR) < 2:
        pass
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


if __name__ == "__main__":
    sys.exit(main())
