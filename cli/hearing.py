"""What an agent that calls us says on standard input.

Decides how much of it is kept and how long is waited for it: an agent may say nothing, never stop, or leave its end of the pipe open, and
waits for us meanwhile. Whoever is done before the agent has said everything would break its pipe, so what is too much is read all the same.
"""

import os
import time

MOST_BYTES = 4_000_000
"""So much is kept: a hook's tool input can hold a whole file."""
WAIT_S = 0.3
"""Agents write at once; whoever has said nothing for so long has ended, whatever becomes of the pipe."""
LONGEST_S = 5.0
"""Whoever still writes then never ends."""


def heard(source: int = 0, *, wait_s: float = WAIT_S) -> bytes:
    """What can be read from a file descriptor until its end, or until nothing has come for `wait_s` seconds, the first `MOST_BYTES` of it.

    Empty where there is nothing to read from, or where a person sits at it.
    """
    from select import select  # not among what the interpreter has loaded, and only hooks listen

    last = time.monotonic()
    end = last + max(wait_s, LONGEST_S)
    parts: list[bytes] = []
    room = MOST_BYTES
    try:
        if os.isatty(source):
            return b""
        while (left := min(last + wait_s, end) - time.monotonic()) > 0 and select([source], [], [], left)[0]:
            part = os.read(source, 1 << 16)
            if not part:
                break
            parts.append(part[:room])
            room -= len(parts[-1])
            last = time.monotonic()
    except (OSError, ValueError):
        pass  # closed, or nothing that can be waited for: what came until then is all that there is
    return b"".join(parts)
