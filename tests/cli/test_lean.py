"""msgspec without its company: it does for our structs what it does with it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def said(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_what_was_left_out_comes_when_it_is_asked_for() -> None:
    """None of the modules that stood aside is loaded, and each is the real one for whoever imports it later."""
    code = (
        "import sys; from cli.lean import load_msgspec; load_msgspec()\n"
        "aside = ('typing_extensions', 'textwrap', 'inspect', 'platform')\n"
        "print([name for name in aside if name in sys.modules])\n"
        "import msgspec, platform, textwrap\n"
        "print(platform.python_version_tuple()[0], textwrap.fill(' a'))\n"
        "class Book(msgspec.Struct):\n"
        "    '''\\n    A book.\\n    With pages.\\n    '''\n"
        "    pages: int | None = None\n"
        "print(msgspec.json.decode(b'{\"pages\": 2}', type=Book).pages, msgspec.json.schema(Book)['$defs']['Book']['description'])\n"
    )

    assert said(code) == "[]\n3  a\n2 A book.\nWith pages.\n"


def test_the_second_time_nothing_happens() -> None:
    """Where msgspec is loaded already it stays as it is."""
    assert said("import msgspec; from cli.lean import load_msgspec; load_msgspec(); import uuid; print(uuid.UUID(int=1))").endswith("1\n")
