"""How a command that goes through millions of rows takes memory.

Decides the setting of the frame library's allocator for such a process. It is read once, when the library is loaded: `begin` comes before.
The opposite, for a process that lives for weeks, is `serve.frugal`.

By itself the allocator gives back what has been free for half a second, and the system clears it before it hands it out anew: a seventh of
the time that a rebuild of all views takes. What a command has used once it uses again until it ends.
"""

import os

_SETTING = "background_thread:true,dirty_decay_ms:10000,muzzy_decay_ms:-1"
"""What has been free for ten seconds is the system's again: a rebuild of ten million calls stays below 700 MB."""


def begin() -> None:
    """Set this process up, as far as its environment does not say otherwise."""
    os.environ.setdefault("_RJEM_MALLOC_CONF", _SETTING)
