"""What is known of a daemon from outside: the lock decides, the file only says where it answers."""

import os
from pathlib import Path

import pytest

from cli.serve import state
from cli.serve.state import Running
from pipeline.errors import Held


def running(pid: int) -> Running:
    return Running(pid=pid, host="127.0.0.1", port=8765, started_at=1.0, version="1")


def test_a_daemon_runs_while_it_holds_the_lock(tmp_path: Path) -> None:
    """Its file is believed only while the process that it names holds the lock."""
    data = str(tmp_path)
    state.write(data, running(os.getpid()))
    before = state.running(data)
    with state.lock(data):
        during, holder = state.running(data), state.holder(data)
        state.write(data, running(1))
        other = state.running(data)
    state.write(data, running(os.getpid()))

    assert (before, other, state.running(data)) == (None, None, None)
    assert during is not None
    assert (during.pid, during.url) == (os.getpid(), "http://127.0.0.1:8765")
    assert holder == os.getpid()


def test_a_file_that_is_none_means_no_daemon(tmp_path: Path) -> None:
    """Garbage, an empty file or none at all is no daemon and no failure."""
    with state.lock(str(tmp_path)):
        assert state.running(str(tmp_path)) is None
        for content in (b"", b"{", b'{"pid": "x"}', b"\xff" * 9000):
            (tmp_path / state.STATE).write_bytes(content)
            assert state.running(str(tmp_path)) is None


def test_whoever_comes_second_is_told_who_is_there(tmp_path: Path) -> None:
    """The error names the daemon's pid, its address and the command that ends it; for a watcher that is no daemon, its pid."""
    data = str(tmp_path)
    with state.lock(data):
        with pytest.raises(Held, match=f"held by process {os.getpid()}") as watcher:
            state.lock(data)
        state.write(data, running(os.getpid()))
        with pytest.raises(Held, match=f"pid {os.getpid()}.* at http://127.0.0.1:8765; ringlet daemon stop ends it") as daemon:
            state.lock(data)

    assert (watcher.value.pid, daemon.value.pid) == (os.getpid(), os.getpid())


def test_asking_for_the_holder_takes_nothing(tmp_path: Path) -> None:
    """Asking who watches makes no file, changes none, and is in nobody's way."""
    data = str(tmp_path)
    assert state.holder(data) is None
    assert list(tmp_path.iterdir()) == []
    state.lock(data).release()
    content = (tmp_path / state.LOCK).read_bytes()
    assert state.holder(data) is None
    assert (tmp_path / state.LOCK).read_bytes() == content


def test_an_address_of_the_sixth_version_is_put_in_brackets() -> None:
    """An IPv6 address stands in brackets in the URL."""
    assert Running(pid=1, host="::1", port=80, started_at=0, version="1").url == "http://[::1]:80"
