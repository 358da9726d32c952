"""How the daemon's process takes memory and processors, and gives memory back.

Decides the settings of the allocators and of the frame library's threads. They are read once, when the library is loaded: `begin` comes
before. What is worth keeping in memory is decided where it is kept.

A daemon lives for weeks and answers questions of a millisecond. Libraries take arenas and threads for work of seconds: each thread's arena
keeps what its largest work once took, and to divide a millisecond's work costs more than it saves.
"""

import ctypes
import os
import sys
from contextlib import suppress

_SETTINGS = {
    "POLARS_MAX_THREADS": "1",
    # The frame library's allocator: one arena, and what has been free for a second is the system's again.
    "_RJEM_MALLOC_CONF": "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true",
}
_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's mallopt(3)."""


def begin() -> None:
    """Set this process up. Whoever starts another process with a copy of the environment takes that copy before."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.platform == "linux":
        # Another libc has other names, and arenas that are none of our business.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what the allocator of libc holds for later."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
