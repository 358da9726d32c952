"""Service files: what keeps a command of ringlet running on Linux and macOS."""

import plistlib
from pathlib import Path

import pytest

from cli.serve import units
from cli.serve.units import Service
from pipeline.errors import RingletError
from tests.cli.homes import ringlet

SERVICE = Service("daemon", "count", ["/opt/my python/bin/python", "-m", "ringlet", "daemon", "start", "--foreground"])
PLACES = {"RINGLET_HOME": '/srv/50% "mine"', "TZ": "Europe/Berlin", "SECRET": "no"}


def test_a_unit_starts_this_command_in_these_places() -> None:
    """Every part of the command line is quoted for systemd, and the variables that decide places and days go along; no other does."""
    lines = units.unit(SERVICE, PLACES).splitlines()

    assert 'ExecStart="/opt/my python/bin/python" "-m" "ringlet" "daemon" "start" "--foreground"' in lines
    assert 'Environment="RINGLET_HOME=/srv/50%% \\"mine\\""' in lines
    assert 'Environment="TZ=Europe/Berlin"' in lines
    assert not any("SECRET" in line for line in lines)


def test_a_launchd_agent_says_the_same() -> None:
    """The property list is one, with label, command and variables as they are."""
    agent = plistlib.loads(units.plist(SERVICE, {**PLACES, "CODEX_HOME": "/a&b<c>"}).encode())

    assert agent["Label"] == "ringlet.daemon"
    assert agent["ProgramArguments"] == SERVICE.command
    assert agent["EnvironmentVariables"] == {"RINGLET_HOME": '/srv/50% "mine"', "TZ": "Europe/Berlin", "CODEX_HOME": "/a&b<c>"}


@pytest.mark.parametrize(
    ("platform", "path"),
    [("linux", ".config/systemd/user/ringlet-daemon.service"), ("darwin", "Library/LaunchAgents/ringlet.daemon.plist")],
)
def test_it_is_written_where_the_system_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, path: str) -> None:
    """The file lies in the user's own folder, closed to others, and the command that starts it is told."""
    monkeypatch.setenv("HOME", str(tmp_path))
    written, start = units.install(SERVICE, {}, platform)

    assert written == str(tmp_path / path)
    assert Path(written).stat().st_mode & 0o777 == 0o600
    assert ("systemctl --user enable --now ringlet-daemon" in start) == (platform == "linux")


def test_windows_is_told_what_to_do_instead() -> None:
    """There is no service file for Windows; the error names the command that a scheduler can run."""
    with pytest.raises(RingletError, match=r"run ringlet daemon start --foreground from the task scheduler"):
        units.install(SERVICE, {}, "win32")


def test_the_installed_daemon_stays(tmp_path: Path) -> None:
    """`daemon install` starts the daemon so that it never ends by itself, on the port that was asked for."""
    done = ringlet(tmp_path, "daemon", "install", "--port", "9000")
    unit = (tmp_path / ".config/systemd/user/ringlet-daemon.service").read_text()

    assert done.code == 0
    assert '"daemon" "start" "--foreground" "--port" "9000" "--stay-alive"\n' in unit
    assert f'Environment="RINGLET_HOME={tmp_path}/rl"' in unit
