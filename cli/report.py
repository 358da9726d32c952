"""What `ringlet doctor` has to say, as it is shown and as JSON.

Decides the shape alone; what is found is decided by `cli.examine` and its siblings.
"""

import os
from typing import Literal

import msgspec

from cli.escaped import escaped
from ingest.adapters.claude_stats import Lost

Status = Literal["well", "warnings", "damage"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing worth saying."""

    level: Literal["note", "warning", "damage"]
    area: str
    """What it is about, in few words that stay the same."""
    what: str
    where: str | None = None
    mend: str | None = None
    """The command or change that mends it."""


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source's records: `lines` = `new` + `updated` + `duplicate` + `ignored` + `quarantined`."""

    path: str
    agent: str
    gone: bool
    lines: int
    new: int
    updated: int
    duplicate: int
    ignored: int
    quarantined: int
    bytes: int
    unread_bytes: int | None
    """Bytes after the cursor; None where the file is gone or its size says nothing (compressed, databases)."""
    resets: int
    seen: dict[str, int]


class Report(msgspec.Struct, kw_only=True):
    """Everything that `ringlet doctor` found."""

    schema_version: int = 1
    status: Status = "well"
    findings: list[Finding] = []
    sources: list[SourceReport] = []
    quarantine: dict[str, int] = {}
    """Records by reason."""
    seen: dict[str, int] = {}
    """Records without a call that are worth a number, by name."""
    unpriced_models: list[str] = []
    lost_tokens: int = 0
    """Tokens that an agent's statistics remember and no log holds any more, at least."""
    lost_history: list[Lost] = []
    """Claude Code's part of them, by local day and model."""
    segments: int = 0
    hot_rows: int = 0
    calls: int = 0


def shown(path: str) -> str:
    """A path as text: bytes that are none stand as U+FFFD, and what a terminal would act on as an escape."""
    return escaped(os.fsencode(path).decode("utf-8", "replace"))
