"""Where the pages for people are; what makes them is imported when the first is asked for.

Templates, Markdown and the rules of firewalls take several MiB, and most daemons are only scraped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiohttp import web
from msgspec import Struct, field

from egressd.daemon.holder import SnapshotHolder
from egressd.web.connection.page import PageMaker
from egressd.web.middleware import Handler

if TYPE_CHECKING:
    from egressd.web.pages import PageHandlers

Choose = Callable[["PageHandlers"], Handler]
"""Returns one of the handlers."""

PATHS: Mapping[str, Choose] = MappingProxyType(
    {
        "/": lambda pages: pages.status,
        "/rules/{language}": lambda pages: pages.rules,
        "/static/{name}": lambda pages: pages.static,
        "/reasons": lambda pages: pages.reasons,
        "/reasons/{code}": lambda pages: pages.reason,
        "/docs": lambda pages: pages.listed,
        "/docs/{name:.+}": lambda pages: pages.document,
        "/runbooks/{name}": lambda pages: pages.runbook,
    }
)


class PageRoutes(Struct, kw_only=True):
    """The paths of the pages, each with its handler."""

    holder: SnapshotHolder
    pages: PageMaker
    _handlers: PageHandlers | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __iter__(self) -> Iterator[tuple[str, Handler]]:
        """Yield each path with its handler."""
        return ((path, partial(self._serve, choose)) for path, choose in PATHS.items())

    async def _serve(self, choose: Choose, request: web.Request) -> web.StreamResponse:
        async with self._turn:
            if self._handlers is None:
                self._handlers = await asyncio.to_thread(self._load)
        return await choose(self._handlers)(request)

    def _load(self) -> PageHandlers:
        from egressd.web.pages import PageHandlers  # noqa: PLC0415 - see the module's docstring

        return PageHandlers(holder=self.holder, pages=self.pages)
