"""What happens to a request, from its first line to its answer.

Decides the order in which it is looked at: how it is addressed and where it comes from, who is asking, what is asked, and only then the
work. Each of these is decided elsewhere: `doors`, `access` and `doorway`, the routes' table and `decode`, the handlers.
"""

import asyncio
import logging
import os
import secrets
import time
import traceback
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from aiohttp import web

from cli.serve import answers
from cli.serve.contract import envelope
from cli.serve.decode import BadParameter, Nothing, parameters
from cli.serve.doors import Doors, Head, Refused, let_in
from cli.serve.doorway import Asker, Doorway
from cli.serve.limits import Limits
from cli.serve.push import Full, Push
from cli.serve.route import Route
from cli.serve.service import Service
from cli.serve.statics import Statics
from pipeline.errors import RingletError

logger = logging.getLogger("ringlet.http")

DOCUMENT = "/api/openapi.json"
_QUIET = ("/api/health", "/api/daemon", "/api/proof")
"""Asking how the daemon is does not keep it alive."""


class Site:
    """Everything that one daemon answers. Made inside the event loop that it runs in."""

    def __init__(
        self,
        service: Service,
        push: Push,
        doors: Doors,
        way: Doorway,
        statics: Statics,
        limits: Limits,
        routes: Sequence[Route],
        document: dict[str, Any],
    ) -> None:
        self.asked_at = time.monotonic()
        """When somebody was let in last (`time.monotonic`): the daemon stays while it is asked."""
        self._service = service
        self._push = push
        self._doors = doors
        self._doorway = way
        self._statics = statics
        self._limits = limits
        self._at_work = asyncio.Semaphore(limits.at_work)
        self._routes: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._routes.setdefault(route.path, {})[route.method] = route
        self._document = msgspec.json.encode(document)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request; never raises but when it is cancelled."""
        began = time.perf_counter()
        named = "(no route)"
        try:
            head = let_in(request.method, request.raw_path, request.version, request.raw_headers, self._doors)
            route = self._route(head)
            if route is None:
                response: web.StreamResponse = await self._page(head)
            else:
                named = route.path
                response = await self._routed(request, head, route)
        except Refused as refused:
            response = answers.refusal(refused)
        except RingletError as error:
            response = answers.trouble(error)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its text stays here
            told = answers.refused_by_disk(error) if isinstance(error, OSError) else None
            response = told or _unforeseen(error, named)
        if logger.isEnabledFor(logging.DEBUG):
            # The table's path, not the request's: that may hold anything.
            logger.debug("%s %s %d, %.1f ms", request.method[:8], named, response.status, (time.perf_counter() - began) * 1000)
        return response

    def _route(self, head: Head) -> Route | None:
        """The route of a request; None where a page or nothing is asked for."""
        methods = self._routes.get(head.path)
        if methods is None:
            if head.method != "GET":
                raise Refused(405, "bad_method", "only GET goes here", headers={"Allow": "GET"})
            return None
        route = methods.get(head.method)
        if route is None:
            allowed = ", ".join(methods)
            raise Refused(405, "bad_method", f"only {allowed} goes here", headers={"Allow": allowed})
        return route

    async def _page(self, head: Head) -> web.Response:
        if head.path == DOCUMENT:
            return answers.answer(200, self._document, answers.JSON)
        found = await self._statics.answer(head.path, head.if_none_match)
        if found is None:
            raise Refused(404, "not_found", "there is nothing here", mend=f"/usage is the page, {DOCUMENT} lists the API")
        return found

    async def _routed(self, request: web.BaseRequest, head: Head, route: Route) -> web.StreamResponse:
        asker = self._doorway.asker(head.authorization, head.cookie) if route.role != "open" else Asker(None, None)
        _allowed(route, asker)
        body = await self._body(request, head, asker)
        if head.query and route.in_body:
            raise BadParameter("parameters of this route stand in the body")
        params = parameters(route.params or Nothing, head.query, body)
        if route.path not in _QUIET:
            self.asked_at = time.monotonic()
        if route.path == "/api/events":
            return await self._stream(request, "text/event-stream", self._events(asker), {})
        if route.handler is None:
            return self._doorway.answer(route, asker, params)
        async with self._turn():
            answered = await route.handler(self._service, None if route.params is None else params)
            if not isinstance(answered, envelope.Reply):
                return answers.success(answered)
            shown = {"Content-Disposition": f'attachment; filename="{answered.filename}"'} if answered.filename else {}
            if isinstance(answered.body, bytes):
                return answers.answer(200, answered.body, answered.content_type, shown)
            return await self._stream(request, answered.content_type, answered.body, shown)

    async def _body(self, request: web.BaseRequest, head: Head, asker: Asker) -> bytes:
        if head.method != "POST":
            return b""
        # A page of another site can send a form or plain text unasked, but neither this type nor a token.
        by_token = asker.role is not None and asker.session is None
        typed = (head.content_type or "").partition(";")[0].strip().lower() == answers.JSON
        if not typed and (head.length or not by_token):
            raise Refused(415, "bad_body", "a POST needs Content-Type: application/json")
        if not head.length:
            return b""
        try:
            async with asyncio.timeout(self._limits.body_s):
                return await request.content.readexactly(head.length)
        except TimeoutError:
            raise Refused(408, "too_slow", "the body took too long") from None
        except asyncio.IncompleteReadError:
            raise ConnectionError from None

    def _turn(self) -> "_Turn":
        return _Turn(self._at_work, self._limits.wait_s)

    async def _events(self, asker: Asker) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._push.subscribe()) as frames:
                async for frame in frames:
                    if not self._doorway.still(asker):
                        return
                    yield frame
        except Full:
            raise Refused(429, "too_many", "too many pages listen already", headers={"Retry-After": "30"}) from None

    async def _stream(
        self, request: web.BaseRequest, content_type: str, pieces: AsyncGenerator[bytes, None], headers: dict[str, str]
    ) -> web.StreamResponse:
        """Answer piece by piece. What goes wrong before the first piece has a status of its own; after it, the connection breaks off."""
        response: web.StreamResponse | None = None
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if response is None:
                        response = web.StreamResponse(headers={**answers.HEADERS, "Content-Type": content_type, **headers})
                        response.force_close()
                    await self._written(request, response, piece)
        except ConnectionError:
            raise
        except Exception as error:
            if response is None:
                raise
            if not isinstance(error, RingletError):
                _noted(error, "a stream")
            raise ConnectionError from None
        return response or answers.answer(200, b"", content_type, headers)

    async def _written(self, request: web.BaseRequest, response: web.StreamResponse, piece: bytes) -> None:
        try:
            async with asyncio.timeout(self._limits.write_s):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(piece)
        except TimeoutError:
            # What still lies in the buffers would keep the connection.
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionError from None


class _Turn:
    """One of the places for requests at work; whoever waits too long for one is sent away."""

    def __init__(self, places: asyncio.Semaphore, wait_s: float) -> None:
        self._places = places
        self._wait_s = wait_s

    async def __aenter__(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise Refused(429, "busy", "too many questions at once", headers={"Retry-After": "1"}) from None

    async def __aexit__(self, *_: object) -> None:
        self._places.release()


def _allowed(route: Route, asker: Asker) -> None:
    if route.role == "open":
        return
    if asker.role is None:
        headers = {"WWW-Authenticate": 'Bearer realm="ringlet"'}
        raise Refused(401, "not_known", "this needs a login or a token", mend="ringlet daemon login", headers=headers)
    if route.role == "admin" and asker.role != "admin":
        raise Refused(403, "admin_only", "this is for admins only")


def _unforeseen(error: Exception, named: str) -> web.Response:
    """The answer to a mistake of ours: the number under which the log tells more."""
    number = _noted(error, named)
    return answers.failure(500, "failed", f"a mistake of ringlet's own, number {number}", mend="ringlet daemon logs tells more")


def _noted(error: Exception, named: str) -> str:
    """The number under which the log says what happened and where; not the error's own text, which may quote anything."""
    number = secrets.token_hex(4)
    frames: Any = traceback.extract_tb(error.__traceback__)[-8:]
    places = " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    logger.error("%s at %s: %s at %s", number, named, type(error).__name__, places)
    return number
