"""A terminal that one text fills, drawn anew in place.

Decides how a text is put there, what is done with one that is too long, and that the terminal is afterwards as it was. What the text says
is whoever's who draws.
"""

import os
import sys

from cli.app import written

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, without a cursor, and long lines end at its edge."""
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Screen:
    """While entered, the terminal behind standard output is ours."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._entered = False

    def __enter__(self) -> "Screen":
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> None:
        """Take the terminal."""
        if not self._entered:
            self._entered = True
            written(_ENTER)

    def leave(self) -> None:
        """Give it back as it was."""
        if self._entered:
            self._entered = False
            written(_LEAVE)

    def draw(self, text: str, status: str) -> None:
        """Show `text`, as far as there is room, and `status` in the last line."""
        lines, left_out = fitting(text, _height() - 1)
        told = [*lines, *([self._dim(left_out)] if left_out else [])]
        written("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in told) + f"{self._dim(status)}\x1b[K\x1b[J")

    def _dim(self, words: str) -> str:
        return f"{_DIM}{words}{_PLAIN}" if self._color else words


def fitting(text: str, room: int) -> tuple[list[str], str]:
    """(the lines of `text` that there is room for, what says how many are left out, if any); `room` lines together, at least one."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= room:
        return lines, ""
    return lines[: room - 1], f"… {len(lines) - room + 1:,} more lines: --limit shows fewer rows"


def _height() -> int:
    try:
        return max(os.get_terminal_size(sys.stdout.fileno()).lines, 2)
    except (OSError, ValueError):
        return 24
