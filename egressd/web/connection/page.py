"""Large pages: made once for all who wait for them, and sent piece by piece.

Whatever number of clients asks, and however slowly they read, a page takes one thread and each connection one
piece: threads and memory are for probing.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import LooseHeaders
from msgspec import Struct, field

from egressd import clock

T = TypeVar("T")

THREADS = 2
"""Pages that are made at once; more wait."""
PIECE = 64 * 1024
"""Bytes that are handed to a connection before the client must have taken some."""
_LEVEL = 1
"""Of gzip: level 6 takes three times as long and saves a twelfth."""
_REFUSED = re.compile(r"q=0(\.0*)?")


class PackedPage(Struct, frozen=True):
    """A page that is kept compressed: a report of thousands of targets takes a thirtieth so."""

    zipped: bytes
    size: int
    """Bytes of the text."""

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> PackedPage:
        """Compress a text as it is made, so that it never stands in memory as a whole."""
        file, size = io.BytesIO(), 0
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packing:
            for one in pieces:
                packing.write(one)
                size += len(one)
        return cls(file.getvalue(), size)

    def pieces(self) -> Iterator[bytes]:
        """Yield the text."""
        with gzip.GzipFile(fileobj=io.BytesIO(self.zipped)) as unpacking:
            while piece := unpacking.read(PIECE):
                yield piece


class _Made(Struct, frozen=True, kw_only=True):
    key: Hashable
    began: float
    body: Any


class PageMaker(Struct, kw_only=True):
    """Makes pages in threads. One that was begun after a request came answers that request too."""

    _threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS))
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _waiting: Counter[str] = field(default_factory=Counter)
    _made: dict[str, _Made] = field(default_factory=dict)

    async def answer(
        self,
        request: web.Request,
        write: Callable[[], bytes],
        headers: LooseHeaders,
        *,
        name: str = "",
        variant: Hashable = None,
    ) -> web.StreamResponse:
        """Send a page, compressed for clients that accept gzip, and tell caches that it varies by that.

        `name` is the page's, one of few (empty: its path); `variant` tells apart what it says to whom.
        """
        response, zipped = _begin(request, headers)
        body = await self.make(
            name or request.path, (zipped, variant), lambda: compressed(write()) if zipped else write()
        )
        return await send_page(request, response, size=len(body), pieces=_cut(body))

    async def answer_packed(
        self, request: web.Request, write: Callable[[], PackedPage], headers: LooseHeaders
    ) -> web.StreamResponse:
        """Send a page that is kept compressed, as it is or unpacked piece by piece."""
        response, zipped = _begin(request, headers)
        page = await self.make(request.path, None, write)
        size, pieces = (len(page.zipped), _cut(page.zipped)) if zipped else (page.size, page.pieces())
        return await send_page(request, response, size=size, pieces=pieces)

    async def make(self, name: str, key: Hashable, write: Callable[[], T]) -> T:
        """Return a page; `key` tells its variants apart."""
        came = clock.monotonic()
        self._waiting[name] += 1
        try:
            async with self._turns[name]:
                made = self._made.get(name)
                if made is None or made.key != key or made.began < came:
                    async with self._threads:
                        began = clock.monotonic()
                        made = _Made(key=key, began=began, body=await asyncio.to_thread(write))
                    self._made[name] = made
                body: T = made.body
                return body
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                self._made.pop(name, None)  # nobody waits: it would only take memory


def compressed(body: bytes) -> bytes:
    """Return a body in gzip, the same for the same body."""
    return gzip.compress(body, _LEVEL, mtime=0)


def _begin(request: web.Request, headers: LooseHeaders) -> tuple[web.StreamResponse, bool]:
    """Return the response to a request, and whether its body is to be compressed."""
    response = web.StreamResponse(headers=headers)
    response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    zipped = takes_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, [])))
    if zipped:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response, zipped


def _cut(body: bytes) -> Iterator[memoryview]:
    whole = memoryview(body)
    return (whole[begin : begin + PIECE] for begin in range(0, len(body), PIECE))


async def send_page(
    request: web.Request,
    response: web.StreamResponse,
    *,
    size: int,
    pieces: Iterable[bytes | memoryview],
) -> web.StreamResponse:
    """Send a page; the client's pace is kept, and one that leaves is no error."""
    response.content_length = size
    try:
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            for one in pieces:
                await response.write(one)
                await asyncio.sleep(0)  # a client that reads at once would hold the loop until the end
        await response.write_eof()
    except ConnectionError:
        pass  # it has left, or was too slow
    return response


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` header accepts gzip; weight 0 refuses it (RFC 9110 section 12.5.3)."""
    parts = [part.partition(";")[::2] for part in accepted[:2000].lower().split(",")]
    weights = {coding.strip(): parameter.replace(" ", "") for coding, parameter in parts}
    found = weights.get("gzip", weights.get("*"))
    return found is not None and _REFUSED.fullmatch(found) is None
