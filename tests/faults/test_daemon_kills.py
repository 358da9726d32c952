"""SIGKILL to the daemon while agents write, commands read and pages ask: nothing that it told is lost, nothing counts twice."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.log import Log
from tests.cli.daemons import Home, get, until
from tests.faults.killing import Scene
from tests.sizes import times


class Crowd:
    """Agents that write all the time, someone who asks on the command line, and someone who asks the API."""

    def __init__(self, scene: Scene, home: Home) -> None:
        self.scene, self.home = scene, home
        self.told = 0
        """The most calls that any answer of the API spoke of."""
        self.trouble: list[str] = []
        self._end = threading.Event()
        self._token = home.token()
        self._threads = [threading.Thread(target=work) for work in (self._write, self._ask_here, self._ask_there)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        rng = random.Random(2)
        while not self._end.wait(0.02):
            self.scene.write(files=rng.randrange(1, 4), lines=rng.choice((1, 5, 20, 400)))

    def _ask_here(self) -> None:
        while not self._end.wait(0.5):
            done = self.home.run("usage", "--period", "all")
            if done.code:
                self.trouble.append(done.err)

    def _ask_there(self) -> None:
        while not self._end.wait(0.05):
            running = self.home.store / "daemon.json"
            # Killed between two bytes of its answer, or not there yet: it has told nothing.
            with suppress(OSError, ValueError, KeyError, IndexError):
                port = int(running.read_text().partition('"port":')[2].partition(",")[0])
                status, answer = get(port, "/api/usage?period=all", self._token)
                if status == 200:
                    self.told = max(self.told, answer["data"]["total_requests"])


@contextmanager
def crowd(scene: Scene, home: Home) -> Iterator[Crowd]:
    made = Crowd(scene, home)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def judged(scene: Scene) -> None:
    """The scene's own judgement while others work on: files of a day that becomes one file may go between two looks at them."""
    for _ in range(20):
        with suppress(FileNotFoundError):
            scene.judge()
            return
    scene.judge()


def test_killed_at_random_under_load(tmp_path: Path) -> None:
    """Killed again and again at random moments, the daemon has lost nothing that it told, and at the end every call counts once."""
    rng = random.Random(1)
    scene = Scene(tmp_path, seed=1)
    home = Home(tmp_path, CLAUDE_CONFIG_DIR=str(scene.root), RINGLET_HOME=str(scene.home))
    home.store = scene.home
    kills = 0
    with crowd(scene, home) as people:
        while kills < times(8):
            with home.foreground() as process:
                time.sleep(rng.uniform(0.2, 3.5))
                told = people.told
                assert process.poll() is None
                process.kill()
            kills += 1
            if (scene.home / "journal.db").exists():
                with Log.open(scene.home) as log:
                    assert sum(1 for _ in log.calls(0, 40_000)) >= told
                judged(scene)
        # At least once it must have come to answer, or nothing is proved.
        with home.foreground() as process:
            until(lambda: people.told > 0 and home.status()["running"])
            process.terminate()
            assert process.wait(120) == 143
    assert people.trouble == []
    with home.foreground() as process:
        until(lambda: home.status().get("watcher") == "watching")
        process.terminate()
        assert process.wait(120) == 143
    scene.judge(complete=True)
    answer = home.usage()
    assert (answer["total_requests"], answer["total_tokens"]["output_tokens"]) == (len(scene.best), sum(scene.best.values()))
