"""Sending a message to an address: signed, once per attempt, and never to where it must not go.

Decides which addresses are taken, which machines may be connected to, how a message is signed and when an attempt has failed. A name is
looked up once for each attempt, and the connection goes to the very address that was judged, so a name that changes its mind between two
looks (DNS rebinding) gains nothing. Redirects are not followed, proxies of the environment not used. No error quotes the address.

The signature is that of https://www.standardwebhooks.com (2024): HMAC-SHA256 over `id.timestamp.body`.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from cli.ask import WrongUsage
from cli.reached import reached

CONNECT_S = 3.0
TOTAL_S = 10.0
_READ_BYTES = 64 << 10
_LOOK_S = 0.1
_LONGEST = 4096
_NUMBER = re.compile(r"(\d+|0[xX][0-9a-fA-F]*)\Z")
"""The last part of a host that some programs take for an IP address (https://url.spec.whatwg.org, "ends in a number")."""
_PREFIX = "whsec_"
_AZURE = ipaddress.ip_address("168.63.129.16")
"""Answers every virtual machine there as its host."""


def new_secret() -> str:
    """A secret to sign with."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, name: str, at_s: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{name}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def check(address: str, *, allow_http: bool, allow_private: bool) -> None:
    """Raises WrongUsage for what is no address to send to; whether its host may be connected to is known only when it is looked up."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WrongUsage("--webhook is no address", mend=_WHOLE) from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or len(address) > _LONGEST:
        raise WrongUsage("--webhook is no http or https address", mend=_WHOLE)
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address or "%" in parts.netloc:
        raise WrongUsage("--webhook holds letters that no address has", mend=_WHOLE)
    if "@" in parts.netloc or parts.fragment:
        raise WrongUsage("--webhook has a user name or a fragment", mend=_WHOLE)
    if parts.scheme == "http" and not allow_http:
        raise WrongUsage("--webhook would be sent unencrypted", mend="give an https address, or --allow-http")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.match(host.rstrip(".").rpartition(".")[2]):
            raise WrongUsage("--webhook has a number for a host, in an unusual spelling", mend=_WHOLE) from None
        if f".{host}".endswith(".localhost") and not allow_private:
            raise WrongUsage("--webhook leads to this machine", mend=_PRIVATE) from None
        return
    why = refusal(str(literal), allow_private=allow_private)
    if why is not None:
        raise WrongUsage(f"--webhook leads to {why}", mend=_PRIVATE)


_WHOLE = "give it whole, as https://host/path"
_PRIVATE = "--allow-private lets it lead to this machine and its networks, and nothing lets it lead to a link or a cloud's own services"


def refusal(address: str, *, allow_private: bool) -> str | None:
    """Why that IP address must not be connected to; None where it may be."""
    ip = reached(address)
    if ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip == _AZURE or (ip.is_reserved and not ip.is_loopback):
        return "an address that is not for messages"
    if ip.is_global or allow_private:
        return None
    return "this machine" if ip.is_loopback else "a private network"


def send(
    address: str,
    body: bytes,
    *,
    name: str,
    at_s: int,
    secret: str | None,
    allow_http: bool = False,
    allow_private: bool = False,
    ending: Callable[[], bool] = lambda: False,
) -> tuple[bool, str]:
    """Whether the message was taken (a status of 2xx), and what the attempt ended with, in words without the address.

    Takes no longer than `TOTAL_S`, and ends soon once `ending` says so.
    """
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "ringlet",
        "Idempotency-Key": name,
        "webhook-id": name,
        "webhook-timestamp": str(at_s),
    }
    if secret is not None:
        headers["webhook-signature"] = signature(secret, name, at_s, body)
    try:
        check(address, allow_http=allow_http, allow_private=allow_private)
    except WrongUsage as wrong:
        return False, f"refused: {wrong.what}"
    import asyncio  # as aiohttp: only whoever has something to send

    return asyncio.run(_ended(_post(address, body, headers, allow_private=allow_private), ending))


async def _ended(work: Any, ending: Callable[[], bool]) -> tuple[bool, str]:
    import asyncio

    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait((task,), timeout=_LOOK_S)
        if not task.done() and ending():
            task.cancel()
            await asyncio.wait((task,))
            return False, "interrupted"
    result: tuple[bool, str] = task.result()
    return result


async def _post(address: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> tuple[bool, str]:
    import ssl

    import aiohttp  # 300 ms

    refused: list[str] = []

    def connected(info: Any) -> socket.socket:
        # Whatever name or spelling led here, this is the address that is connected to.
        why = refusal(str(info[4][0]), allow_private=allow_private)
        if why is not None:
            refused.append(why)
            raise PermissionError
        return socket.socket(info[0], info[1], info[2])

    timeout = aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=CONNECT_S)
    try:
        # Every trusted authority is read for it, which takes longer than all the rest.
        verified = ssl.create_default_context() if address.startswith("https") else True
        connector = aiohttp.TCPConnector(limit=1, ssl=verified, socket_factory=connected, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.post(address, data=body, headers=headers, allow_redirects=False) as reply,
        ):
            # Read, so that a receiver which writes before it is done is not cut off; what it says is nothing to us.
            await reply.content.read(_READ_BYTES)
            return 200 <= reply.status < 300, f"status {reply.status}"
    except (aiohttp.ClientError, OSError, ValueError, ssl.SSLError) as error:
        return False, f"refused: it leads to {refused[0]}" if refused else _told(error)


def _told(error: BaseException) -> str:
    """The failure in words that hold nothing of the address."""
    kinds = {each.__name__ for each in type(error).__mro__}
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if kinds & {"ClientConnectorDNSError"}:
        return "its name cannot be looked up"
    if kinds & {"SSLError", "ClientSSLError"}:
        return "its certificate is not good"
    if kinds & {"ClientConnectorError", "OSError"}:
        return "cannot be reached"
    return "its answer is none"
