"""SIGKILL at every named step and at random moments, with three racing ingesters: nothing acknowledged is lost, nothing counts twice."""

import random
import signal
import time
from pathlib import Path

import pytest

from pipeline.durable import STEPS
from tests.faults.killing import Scene
from tests.sizes import times

KILLED = -signal.SIGKILL
REBUILD = ("adopting", "adopted")
"""Steps that are passed only when the journal is rebuilt."""


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_again_at_the_next_start(step: str, tmp_path: Path) -> None:
    """A kill at a named step, then one at the next start, leave a store that goes on as if nothing had happened."""
    for occurrence in (1, 3):
        scene = Scene(tmp_path / str(occurrence), seed=occurrence)
        scene.write()
        if step in REBUILD:
            assert scene.ingester().wait() == 0
            (scene.home / "journal.db").unlink()
        code = scene.ingester(f"{step}:{occurrence}").wait()
        assert code == KILLED or (code == 0 and occurrence > 1)
        scene.judge()
        scene.write()
        scene.ingester(f"{step}:1").wait()
        scene.judge()
        assert scene.ingester().wait() == 0
        scene.judge(complete=True)


def test_killed_at_random_while_three_ingesters_race(tmp_path: Path) -> None:
    """Three ingesters read the same growing files, and again and again one of them is killed."""
    rng = random.Random(1)
    scene = Scene(tmp_path, seed=1)
    kills = 0
    typical_s = 0.5
    while kills < times(120):
        scene.write(files=4, lines=12)
        began = time.monotonic()
        racers = [scene.ingester() for _ in range(3)]
        for racer in rng.sample(racers, 2):
            time.sleep(max(0.0, rng.uniform(0.2, 1.1) * typical_s - (time.monotonic() - began)))
            racer.kill()
        codes = [racer.wait() for racer in racers]
        assert set(codes) <= {0, KILLED}, "\n".join(racer.error for racer in racers)
        kills += codes.count(KILLED)
        if 0 in codes:
            typical_s = 0.9 * typical_s + 0.1 * (time.monotonic() - began)
        scene.judge()
    assert scene.ingester().wait() == 0
    scene.judge(complete=True)
