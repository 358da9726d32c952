"""Service files that keep a command of ringlet running: a systemd user unit, or a launchd agent.

Decides where they lie and what stands in them, and how they are switched on.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cli.paths import MOVING
from pipeline import durable
from pipeline.errors import RingletError

KEPT = (*MOVING, "TZ")
"""Variables of this shell that decide where things lie and whose days count; a service does not inherit them."""


class Service(NamedTuple):
    """A command that runs for good."""

    name: str
    """Of the unit, after `ringlet-`; also of the launchd agent, after `ringlet.`."""
    what: str
    command: Sequence[str]
    """Command line, the program's path first."""


def install(service: Service, environ: Mapping[str, str], platform: str = sys.platform) -> tuple[str, str]:
    """Write the service file, over an older one; its path, and the command line that starts it now and at every login."""
    home = os.path.expanduser("~")
    if platform == "darwin":
        path = f"{home}/Library/LaunchAgents/ringlet.{service.name}.plist"
        text, start = plist(service, environ), f"launchctl load -w {path}"
    elif platform == "win32":
        command = " ".join(service.command[service.command.index("ringlet") :])
        raise RingletError("there is no service file for Windows", mend=f"run {command} from the task scheduler")
    else:
        config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        path = f"{config}/systemd/user/ringlet-{service.name}.service"
        text, start = unit(service, environ), f"systemctl --user daemon-reload && systemctl --user enable --now ringlet-{service.name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    durable.write_over(path, os.fsencode(text))
    return path, start


def unit(service: Service, environ: Mapping[str, str]) -> str:
    """The text of a systemd user unit."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'

    start = " ".join(map(quoted, service.command))
    kept = "".join(f"Environment={quoted(f'{name}={environ[name]}')}\n" for name in KEPT if environ.get(name))
    return f"""[Unit]
Description=ringlet: {service.what}

[Service]
ExecStart={start}
{kept}Restart=on-failure
SuccessExitStatus=130 143
Nice=10

[Install]
WantedBy=default.target
"""


def plist(service: Service, environ: Mapping[str, str]) -> str:
    """The text of a launchd agent."""

    def escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    parts = "".join(f"<string>{escaped(part)}</string>" for part in service.command)
    kept = "".join(f"<key>{name}</key><string>{escaped(environ[name])}</string>" for name in KEPT if environ.get(name))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>ringlet.{service.name}</string>
<key>ProgramArguments</key><array>{parts}</array>
<key>EnvironmentVariables</key><dict>{kept}</dict>
<key>RunAtLoad</key><true/>
<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
</dict></plist>
"""
