"""Which calls of an import were known from another home, and whose they are.

Decides what counts as known elsewhere: a call keeps the home that owns it, so that a copy of a home adds nothing and moves nothing. Reads
the imported files once more, and only where the log holds calls of the same agent from other homes.
"""

from collections.abc import Collection, Sequence
from typing import Any

from ingest.adapter import Adapter
from ingest.bulk import read_all
from ingest.discover import Found
from ingest.reader import Manner, Work
from pipeline.log import Log
from pipeline.profiles import Rules


def known_elsewhere(
    log: Log, rules: Rules, adapter: Adapter[Any], found: Sequence[Found], roots: Collection[str], manner: Manner
) -> dict[str, int]:
    """How many calls that `found` tells of belong to homes other than `roots`, by the profile that they belong to."""
    sources = (known for known in log.sources() if known.source.agent == adapter.agent and known.source.root not in roots)
    span = log.span()
    if span is None or not any(known.counts.new for known in sources):
        return {}
    keys: set[bytes] = set()
    work = [Work(found=each, source_id=number, cursor=None) for number, each in enumerate(found)]
    for harvest in read_all(work, {adapter.agent: adapter}, manner):
        keys.update(harvest.batch.key)
    by_dim: dict[int, int] = {}
    for call in log.calls(*span):
        if call.key in keys:
            by_dim[call.dim] = by_dim.get(call.dim, 0) + 1
    belonging: dict[str, int] = {}
    for number, dims in log.dims(by_dim).items():
        if dims.root not in roots:
            profile = rules.profile_of(dims.agent, dims.root, dims.project, dims.profile)
            belonging[profile] = belonging.get(profile, 0) + by_dim[number]
    return belonging
