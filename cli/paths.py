"""Where ringlet's files lie.

Decides the folders from the environment. Imports next to nothing, because every command asks it first; reads no file.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOVING = (
    "RINGLET_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "CLOWN_CONFIG_DIR",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "OPENCODE_DATA_DIR",
    "OPENCODE_DB",
    "GROK_HOME",
    "APPDATA",
    "LOCALAPPDATA",
)
"""Variables that say, besides HOME, where ringlet's files and the agents' logs lie."""


class Paths:
    """The folders and files of one installation; nothing need exist."""

    __slots__ = ("config", "data", "hooks", "journal", "prices", "profiles", "views")

    def __init__(self, data: str, config: str) -> None:
        self.data = data
        self.config = config
        """The file `config.toml`."""
        self.hooks = data + "/hooks.json"
        self.journal = data + "/journal.db"
        self.views = data + "/views"
        self.prices = data + "/prices"
        self.profiles = data + "/profiles.json"


def paths(environ: "Mapping[str, str] | None" = None) -> Paths:
    """The folders of this user: all under `RINGLET_HOME` where that is set, else XDG's. Raises `LookupError` when no home is known."""
    env = os.environ if environ is None else environ
    moved = env.get("RINGLET_HOME")
    if moved:
        moved = os.path.expanduser(moved)
        if moved.startswith("~"):
            raise LookupError(f"RINGLET_HOME is {moved}, and there is no such user: set it to a folder")
        moved = os.path.abspath(moved)
        return Paths(moved, moved + "/config.toml")
    if sys.platform == "win32":
        base = env.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return Paths(base + "/ringlet", base + "/ringlet/config.toml")
    home = env.get("HOME")
    data = env.get("XDG_DATA_HOME") or (home and home + "/.local/share")
    config = env.get("XDG_CONFIG_HOME") or (home and home + "/.config")
    if not data or not config:
        raise LookupError("HOME is not set: set HOME, or RINGLET_HOME to the folder that shall hold ringlet's files")
    return Paths(data + "/ringlet", config + "/ringlet/config.toml")
