"""What a commit of the watcher brought.

Decides what is told of it. How that is printed or shown is its reader's business.
"""

import msgspec

from ingest.bulk import Harvest
from pipeline.log import Commit


class Arrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one commit of the watcher brought, for whoever prints it."""

    agent: str
    commit: Commit
    models: tuple[str, ...]
    prompt: int
    """Tokens on the prompt side of the calls in it, each counted once."""
    output: int


def arrived(harvest: Harvest, commit: Commit) -> Arrived:
    """What there is to tell of the commit of a harvest."""
    batch = harvest.batch
    agents: set[str] = set()
    models: set[str] = set()
    prompt = output = 0
    # Of several records of a call the last one.
    for row in {key: row for row, key in enumerate(batch.key)}.values():
        dims = batch.dims[batch.dim[row]]
        agents.add(dims.agent)
        models.add(dims.model or "unknown")
        prompt += batch.input[row] + batch.cache_read[row] + batch.cache_write_5m[row] + batch.cache_write_1h[row]
        output += batch.output[row]
    return Arrived(agent=", ".join(sorted(agents)), commit=commit, models=tuple(sorted(models)), prompt=prompt, output=output)
