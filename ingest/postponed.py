"""Looks at sources that found nothing to keep.

Decides which those are. Most lines that an agent writes hold no call: to commit how far each was read would cost as much as a call. Were
they lost, the same bytes would be read once more and give the same.
"""

import time
from collections.abc import Collection, Iterable

from ingest.bulk import Harvest
from pipeline.sources import Reading

AT_MOST_S = 1.0


class Postponed:
    """What the log is told later, with the next look at the same source that finds something, or after `AT_MOST_S`."""

    def __init__(self) -> None:
        self._readings: dict[int, Reading] = {}
        self._since = 0.0

    def due(self) -> bool:
        """Whether the log must be told now."""
        return bool(self._readings) and time.monotonic() - self._since >= AT_MOST_S

    def completed(self, readings: Iterable[Reading]) -> list[Reading]:
        """These readings, each with what was postponed of its source before it."""
        held = self._readings
        return [held[reading.source_id].then(reading) if reading.source_id in held else reading for reading in readings]

    def takes(self, harvest: Harvest) -> bool:
        """Whether there is nothing in the harvest that must be kept now; then its readings are held here."""
        if len(harvest.batch) or any(_must_be_kept(reading) for reading in harvest.readings):
            return False
        if not self._readings:
            self._since = time.monotonic()
        self._readings.update((reading.source_id, reading) for reading in harvest.readings)
        return True

    def all(self) -> list[Reading]:
        """All that is held."""
        return [*self._readings.values()]

    def forget(self, sources: Collection[int]) -> None:
        """The log knows of these sources."""
        for number in sources:
            self._readings.pop(number, None)


def _must_be_kept(reading: Reading) -> bool:
    return bool(reading.quarantined or reading.sessions or reading.seen or reading.counts.resets)
