"""What browsers are served besides answers: pages, scripts, styles and charts, all from memory.

Decides which address leads to which bytes. The table is made once, from ringlet's own folder, so no request ever names a file.
"""

import asyncio
import hashlib
import os

from aiohttp import web

from cli.serve import answers
from cli.serve.drawing import BUNDLE, drawing

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
PAGES = ("/usage", "/profiles", "/prices", "/health")
_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page")
_HTML = "text/html; charset=utf-8"


class Statics:
    """The table of one daemon."""

    def __init__(self, cache: str) -> None:
        """`cache` is the folder that the charts are kept in once they are made."""
        self._cache = cache
        self._drawn = asyncio.Lock()
        self._table = _folder()
        for page in PAGES:
            self._table[page] = self._table["/index.html"]
        self._table["/login"] = self._table["/login.html"]
        del self._table["/index.html"], self._table["/login.html"]

    async def answer(self, path: str, etag: str | None) -> web.Response | None:
        """What stands at a path; None where nothing does. Raises RingletError where the charts cannot be made."""
        if path == "/":
            return answers.answer(302, b"", "text/plain; charset=utf-8", {"Location": "/usage"})
        if path not in self._table and (path == f"/assets/{BUNDLE}" or path.startswith("/assets/charts/")):
            await self._draw()
        found = self._table.get(path)
        return None if found is None else found.answer(etag)

    @property
    def paths(self) -> tuple[str, ...]:
        """All addresses, as far as they are known."""
        return ("/", *self._table)

    async def _draw(self) -> None:
        async with self._drawn:
            if f"/assets/{BUNDLE}" not in self._table:
                made = await asyncio.to_thread(drawing, self._cache)
                self._table.update(
                    {f"/assets/{name}": _Static(content, TYPES[os.path.splitext(name)[1]]) for name, content in made.items()}
                )


class _Static:
    """Bytes that stay the same while the daemon runs."""

    def __init__(self, content: bytes, content_type: str) -> None:
        self._content = content
        self._type = content_type
        self._etag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'

    def answer(self, etag: str | None) -> web.Response:
        # A page always anew, so that its policy is always this version's; what it loads may be kept, but is asked about.
        headers = {"Content-Security-Policy": answers.PAGE}
        if self._type != _HTML:
            headers |= {"Cache-Control": "no-cache", "ETag": self._etag}
            if etag == self._etag:
                return answers.answer(304, b"", self._type, headers)
        return answers.answer(200, self._content, self._type, headers)


def _folder() -> dict[str, _Static]:
    table: dict[str, _Static] = {}
    for at, _, names in os.walk(_FOLDER):
        for name in names:
            path = os.path.join(at, name)
            inside = os.path.relpath(path, _FOLDER).replace(os.sep, "/")
            suffix = os.path.splitext(name)[1]
            if suffix not in TYPES and inside not in ("index.html", "login.html"):
                continue
            with open(path, "rb") as file:
                content = file.read()
            table[f"/assets/{inside}" if suffix in TYPES else f"/{inside}"] = _Static(content, TYPES.get(suffix, _HTML))
    return table
