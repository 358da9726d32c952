"""The daemon's own log file: what it did and what went wrong, for whoever wonders later.

Decides its lines, its size and what never stands in it: secrets, and characters that a terminal would obey.
"""

import logging
import os
import re
import time
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler

from cli.escaped import escaped

BYTES = 1 << 20
"""From this size on a new file is begun."""
KEPT = 3
"""How many full files are kept beside it, as `daemon.log.1` and on."""

_SECRETS = re.compile(
    r"(?i)(?<![\w./-])(?:[\w-]{1,40}[_-])?(?:api[-_]?key|authorization|cookie|token|secret|password)"
    r"[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?[^\s\"',;]+"
    r"|\b(?:bearer|basic)\s+[\w.~+/=-]{6,}"
    r"|\b(?:sk|pk|rk|xox[abprs]|gh[opusr])[-_][\w-]{8,}"
    r"|\bringlet_[\w-]{20,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|\bgithub_pat_\w{8,}|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*"
    r"|https://hooks\.[^\s\"',;]+|https://discord(?:app)?\.com/api/webhooks/[^\s\"',;]+"
)


def redacted(text: str) -> str:
    """`text` without what looks like a key, a token or the address of a hook."""
    return _SECRETS.sub("[redacted]", text)


class Lines(logging.Formatter):
    """One record is one line, its traceback indented lines below it. A line begins with its time in UTC and its level, or on a terminal
    with ringlet's name."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        begin = "ringlet:" if self._terminal else f"{at} {record.levelname.lower():7}"
        lines = [f"{begin} {escaped(redacted(record.getMessage()))}"]
        if record.exc_info:
            lines += [f"    {escaped(line)}" for line in redacted(self.formatException(record.exc_info)).splitlines()]
        return "\n".join(lines)


class LogFile(RotatingFileHandler):
    """A handler that writes to one file and its full predecessors, all 0600.

    Where standard error already is that file it goes on to be it after each rotation: what a library prints as it dies stays readable.
    """

    def __init__(self, path: str) -> None:
        self._carries_stderr = _is_stderr(path)
        super().__init__(path, maxBytes=BYTES, backupCount=KEPT, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        stream = os.fdopen(opened(self.baseFilename), "a", encoding=self.encoding, errors=self.errors)
        if self._carries_stderr:
            os.dup2(stream.fileno(), 2)
        return stream


def begin(path: str) -> list[logging.Handler]:
    """From now on what is logged stands in the file `path`, and on standard error where that is another one; the handlers, for `end`."""
    # A full disk must not end what is logged about.
    logging.raiseExceptions = False
    handlers: list[logging.Handler] = [LogFile(path)]
    if not _is_stderr(path):
        handlers.append(logging.StreamHandler())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(Lines())
        root.addHandler(handler)
    return handlers


def end(handlers: list[logging.Handler]) -> None:
    """The log is closed."""
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        with suppress(OSError):  # as above
            handler.close()


def opened(path: str) -> int:
    """File descriptor to append to the log with, the file made where it is missing. Never through a link."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _is_stderr(path: str) -> bool:
    try:
        here, there = os.stat(path), os.fstat(2)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
