"""What the page draws its charts with: the script bundle and the chart definitions.

Decides where they come from and when they are made anew. The bundle is the chart libraries' own, as `vl_convert` carries it, so nothing is
ever fetched. What a chart looks like is `cli.charts`'s business.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

import msgspec

from pipeline import durable
from pipeline.errors import RingletError

BUNDLE = "vega.js"
"""Name of the script that defines `vegaEmbed`; the charts are `charts/<name>.json`."""

_KEPT = "drawing.json"
_ROOMS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A process of its own: the libraries take 150 MB that a daemon should not hold for the rest of its life.
_MAKE = "import sys; sys.path.insert(0, sys.argv[1]); from cli.serve import drawing; sys.stdout.buffer.write(drawing.make())"


class _Drawing(msgspec.Struct, frozen=True, kw_only=True):
    made_of: str
    """What it follows from; another value: make it anew."""
    files: dict[str, str]


def drawing(cache: str) -> Mapping[str, bytes]:
    """The bundle and the charts by name. Kept in the folder `cache`; made in some seconds where it does not hold them.

    Raises RingletError where they cannot be made.
    """
    path = os.path.join(cache, _KEPT)
    kept = _read(path)
    if kept is None:
        # -P: a folder of somebody else's, in which the daemon was started, has no say in what runs.
        done = subprocess.run([sys.executable, "-P", "-c", _MAKE, _ROOMS], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise RingletError(f"the charts could not be made ({last})", mend="install ringlet again")
        kept = msgspec.json.decode(done.stdout, type=_Drawing)
        durable.make_dirs(cache)
        durable.write_hint(path, done.stdout)
    return {name: text.encode() for name, text in kept.files.items()}


def make() -> bytes:
    """The bundle and the charts, as they are kept."""
    import vl_convert  # only the process that makes them

    from cli import charts

    files = {f"charts/{name}.json": msgspec.json.encode(charts.specification(name)).decode() for name in charts.CHARTS}
    files[BUNDLE] = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", charts.GRAMMAR)
    return msgspec.json.encode(_Drawing(made_of=_made_of(), files=files))


def _read(path: str) -> _Drawing | None:
    try:
        with open(path, "rb") as file:
            kept = msgspec.json.decode(file.read(), type=_Drawing)
    except (OSError, msgspec.DecodeError):
        return None
    return kept if kept.made_of == _made_of() else None


def _made_of() -> str:
    with open(os.path.join(_ROOMS, "cli", "charts.py"), "rb") as file:
        definitions = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    return f"{definitions} altair {version('altair')} vl-convert {version('vl-convert-python')}"
