"""A small store to break."""

from pathlib import Path

import pytest

from pipeline.log import Log
from tests.faults.protocols import call
from tests.pipeline.sightings import Feed


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two segments on one day and one on the next."""
    with Log.open(tmp_path / "store") as log:
        feed = Feed(log)
        feed.commit(call("a", 5), call("b", 6))
        log.seal()
        feed.commit(call("c", 7), call("d", 8, day=1))
        log.seal()
    return tmp_path / "store"
