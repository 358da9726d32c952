"""The n-th operation on a file fails, for every n: what was committed is there, what was not can be done again."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline import durable
from pipeline import log as log_module
from pipeline.errors import RingletError
from pipeline.log import Log
from tests.faults.protocols import PROTOCOLS, judged
from tests.pipeline.sightings import known

MOST = 200


class Failing(durable.Fs):
    """A file system whose n-th operation fails: once, as a bad sector, or from then on, as a full disk."""

    def __init__(self, nth: int, code: int) -> None:
        self.nth, self.code, self.count = nth, code, 0

    def _operate(self) -> None:
        self.count += 1
        if self.count == self.nth or (self.code == errno.ENOSPC and self.count > self.nth):
            raise OSError(self.code, os.strerror(self.code))

    def create(self, path: str) -> int:
        self._operate()
        return super().create(path)

    def write(self, fd: int, content: bytes | memoryview) -> None:
        self._operate()
        super().write(fd, content)

    def fsync(self, fd: int) -> None:
        self._operate()
        super().fsync(fd)

    def mkdir(self, path: str) -> None:
        self._operate()
        super().mkdir(path)

    def rename_new(self, source: str, target: str) -> None:
        self._operate()
        super().rename_new(source, target)

    def replace(self, source: str, target: str) -> None:
        self._operate()
        super().replace(source, target)

    def exchange(self, one: str, other: str) -> bool:
        self._operate()
        return super().exchange(one, other)

    def unlink(self, path: str) -> None:
        # A full disk still lets files go.
        if self.code != errno.ENOSPC:
            self._operate()
        super().unlink(path)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["bad sector", "disk full"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_any_operation_may_fail(name: str, code: int, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever operation fails, the store stays whole, and doing it again ends where it would have ended."""
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "BULK_ROWS", 4)
        with Log.open(shutil.copytree(store, tmp_path / "whole")) as log:
            PROTOCOLS[name](log)
            due = known(log)
        failed = 0
        for nth in range(1, MOST + 1):
            home = shutil.copytree(store, tmp_path / "run")
            with monkeypatch.context() as broken:
                fs = Failing(nth, code)
                broken.setattr(durable, "fs", fs)
                try:
                    with Log.open(home) as log:
                        PROTOCOLS[name](log)
                except (OSError, RingletError):
                    failed += 1
            assert judged(home) is None, f"operation {nth}"
            with Log.open(home) as log:
                PROTOCOLS[name](log)
                assert known(log) == due, f"operation {nth}"
            assert judged(home) is None, f"operation {nth}, done again"
            shutil.rmtree(home)
            if fs.count < nth:
                break

    assert failed > 3
