"""The daemon's web side, put together.

Decides on which addresses it may listen. What it answers, and to whom, is decided by the parts.
"""

import ipaddress
import os

from cli.ask import WrongUsage
from cli.serve.access import Access
from cli.serve.doors import doors
from cli.serve.doorway import Doorway
from cli.serve.limits import Limits, Server
from cli.serve.openapi import document
from cli.serve.push import Push
from cli.serve.routes import ROUTES
from cli.serve.service import Service
from cli.serve.site import Site
from cli.serve.state import Options
from cli.serve.statics import Statics
from pipeline.errors import RingletError


def refuse(options: Options) -> None:
    """Raises RingletError where a daemon must not listen: beyond this machine unless that was asked for, and never on all addresses."""
    try:
        address = ipaddress.ip_address(options.host)
    except ValueError:
        raise WrongUsage("not an IP address", where=options.host, mend="give one such as 127.0.0.1") from None
    if address.is_unspecified:
        raise WrongUsage("would listen on every address", where=options.host, mend="give the one address that others shall use")
    if not address.is_loopback and not options.remote:
        raise RingletError("other machines could ask", where=options.host, mend="give --host on purpose, or leave it out")


def application(service: Service, access: Access, push: Push, options: Options, limits: Limits | None = None) -> Server:
    """The server of a daemon that listens at `options`, to be made inside the event loop that it runs in."""
    limits = limits or Limits()
    way = Doorway(access, options.port)
    statics = Statics(os.path.join(service.paths.data, "cache"))
    names = doors(options.host, options.port)
    site = Site(service, push, names, way, statics, limits, ROUTES, document(ROUTES))
    return Server(site, limits)
