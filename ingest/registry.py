"""Which adapters there are.

Decides by looking into the folder `ingest/adapters`: every module there with an `ADAPTER` is one, so adding an agent is adding a module.
"""

import importlib
import os
from functools import cache
from typing import Any

from ingest.adapter import Adapter
from pipeline.errors import UnknownName

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapters")


@cache
def adapters() -> tuple[Adapter[Any], ...]:
    """All adapters, by agent name."""
    modules = sorted(name[:-3] for name in os.listdir(_FOLDER) if name.endswith(".py") and not name.startswith("_"))
    found = (getattr(importlib.import_module(f"ingest.adapters.{name}"), "ADAPTER", None) for name in modules)
    return tuple(sorted((adapter for adapter in found if adapter is not None), key=lambda adapter: adapter.agent))


def adapter(agent: str) -> Adapter[Any]:
    """The adapter of `agent`; raises `UnknownName` with the known ones."""
    for known in adapters():
        if known.agent == agent:
            return known
    raise UnknownName(f"no agent named {agent!r}", mend=f"known agents: {', '.join(known.agent for known in adapters())}")
