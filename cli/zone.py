"""Which time zone this machine keeps.

Decides the zone of calendar days where the configuration names none: `TZ`, else what `/etc/localtime` points to, else UTC.
"""

import os
from collections.abc import Mapping

from views import calendar

VARIABLE = "TZ"
FILES = ("/etc/localtime", "/etc/timezone")
"""What the answer depends on besides the variable."""


def machine_zone(environ: Mapping[str, str]) -> str:
    """An IANA name. A zone that has no name there, such as a fixed offset, is not believed."""
    candidates = [environ.get(VARIABLE, "").removeprefix(":"), *(_named_by(path) for path in FILES)]
    for candidate in candidates:
        name = candidate.partition("zoneinfo/")[2] if "zoneinfo/" in candidate else candidate
        # A copy of the same zones under a name of its own.
        name = name.removeprefix("posix/")
        if name in ("UTC", "Etc/UTC"):
            return "UTC"  # needs no zone database: loading that takes as long as reading a few lines
        if name:
            try:
                calendar.zone(name)
            except ValueError:
                continue
            return name
    return "UTC"


def _named_by(path: str) -> str:
    if path.endswith("timezone"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.readline().strip()
        except OSError:
            return ""
    return os.path.realpath(path)
