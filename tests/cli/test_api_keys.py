"""Where the keys of profiles lie: in a keyring where there is one that can be had, else in files.

The keyrings are stand-ins: what the systems' own do is the library's business.
"""

import time
from pathlib import Path

import pytest

from cli import api_keys, keyring_child
from cli.paths import Paths
from pipeline.errors import NothingFound
from pipeline.profiles import Profile
from tests.cli.test_profile_runs import KEY, Machine

pytest.importorskip("keyring")

RING = """
import os, pathlib, time
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FOLDER = pathlib.Path(os.environ["RING_FOLDER"])

class Ring(KeyringBackend):
    priority = 5

    def _is_open(self):
        how = (FOLDER / "how").read_text()
        if how == "locked":
            raise KeyringLocked("no")
        if how == "asks":
            time.sleep(600)

    def set_password(self, service, name, secret):
        self._is_open()
        (FOLDER / f"{service}.{name}").write_text(secret)

    def get_password(self, service, name):
        self._is_open()
        path = FOLDER / f"{service}.{name}"
        return path.read_text() if path.exists() else None

    def delete_password(self, service, name):
        self._is_open()
        try:
            (FOLDER / f"{service}.{name}").unlink()
        except FileNotFoundError:
            raise PasswordDeleteError("none") from None

class Poor(Ring):
    priority = 0.5
"""


class Ring:
    """A keyring of ours, and the environment that makes it the system's."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "ring"
        self.folder.mkdir()
        (place / "ourring.py").write_text(RING)
        self.env = {"RING_FOLDER": str(self.folder), "PYTHON_KEYRING_BACKEND": "ourring.Ring", "PYTHONPATH": str(place)}
        self.be("open")

    def be(self, how: str) -> None:
        """`open`, `locked` or `asks`."""
        (self.folder / "how").write_text(how)

    @property
    def kept(self) -> list[str]:
        return [path.read_text() for path in self.folder.iterdir() if path.name != "how"]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path)


@pytest.fixture
def machine(tmp_path: Path, ring: Ring) -> Machine:
    machine = Machine(tmp_path)
    ring.env["PYTHONPATH"] += f":{Path(__file__).parents[2]}"
    machine.env |= ring.env
    return machine


def made(machine: Machine, ring: Ring) -> str:
    """What `create` said of a profile with a key."""
    code, out, err = machine.run("profiles", "create", "claude", "work", "--api-key-stdin", typed=KEY + "\n", **ring.env)
    assert (code, KEY in out + err) == (0, False), err
    return out


def test_a_keyring_keeps_the_key_and_no_file_of_ours_does(machine: Machine, ring: Ring) -> None:
    """A run gets it from there, `inspect` tells where it lies, a new name changes nothing, and `delete` leaves nothing of it."""
    machine.agent("claude", 'echo "$ANTHROPIC_API_KEY"')
    assert "in the keyring (ringlet, " in made(machine, ring)

    assert ring.kept == [KEY]
    assert [path for path in machine.home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    machine.run("profiles", "rename", "work", "job", **ring.env)
    assert machine.run("profiles", "run", "job", **ring.env)[:2] == (0, KEY + "\n")
    assert "key       …ghij in the keyring (ringlet, " in machine.run("profiles", "inspect", "job", **ring.env)[1]
    assert machine.run("profiles", "delete", "job", **ring.env)[0] == 0
    assert ring.kept == []


@pytest.mark.parametrize("backend", ["ourring.Poor", "keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "no.such.Ring"])
def test_without_a_good_keyring_a_file_keeps_it(machine: Machine, ring: Ring, backend: str) -> None:
    """A machine without one, one that the library does not recommend, and one that cannot be loaded: a file that only its user can read."""
    ring.env["PYTHON_KEYRING_BACKEND"] = backend
    said = made(machine, ring)

    (kept,) = (machine.home / "rl" / "keys").iterdir()
    assert (f"in {kept}, for you alone" in said, kept.stat().st_mode & 0o777, ring.kept) == (True, 0o600, [])


def test_a_locked_keyring_keeps_nothing_and_gives_nothing(machine: Machine, ring: Ring) -> None:
    """A key that is to be kept goes into a file; one that it holds cannot be had, which exits 3 and says where it lies."""
    machine.agent("claude", "echo started")
    made(machine, ring)
    ring.be("locked")

    code, out, err = machine.run("profiles", "run", "work", **ring.env)
    assert (code, out, "the keyring does not give the API key" in err, "(ringlet, " in err) == (3, "", True, True)
    assert "key       not to be had now, in the keyring" in machine.run("profiles", "inspect", "work", **ring.env)[1]
    code, _, err = machine.run("profiles", "delete", "work", **ring.env)
    assert (code, "is still in the keyring (ringlet, " in err) == (0, True)
    assert f"in {machine.home}/rl/keys/" in made(machine, ring)


def test_a_keyring_that_asks_is_waited_for_only_so_long(
    tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody hangs for a question that nobody answers: it is said what is waited for, then a file keeps the key, and none is given."""
    for name, value in ring.env.items():
        monkeypatch.setenv(name, value)
    where = Paths(str(tmp_path / "rl"), "")
    kept = api_keys.keep(where, KEY)
    profile = Profile(name="work", key=kept)
    assert api_keys.of(where, profile) == KEY
    ring.be("asks")
    for name, seconds in (("SOON_S", 0.5), ("GLIMPSE_S", 1.0), ("PATIENCE_S", 1.5)):
        monkeypatch.setattr(keyring_child, name, seconds)

    began = time.monotonic()
    other = api_keys.keep(where, KEY)
    with pytest.raises(NothingFound):
        api_keys.of(where, profile)
    assert api_keys.glimpsed(where, profile) is None
    assert not api_keys.forget(where, kept)
    # 600 s are what each of them would take.
    assert time.monotonic() - began < 120
    assert api_keys.place(where, other).startswith(where.data + "/keys/")
    assert "Waiting for the keyring" in capsys.readouterr().err
