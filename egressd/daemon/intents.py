"""What signals and HTTP requests ask of the daemon; its tasks carry it out."""

from __future__ import annotations

import asyncio

from msgspec import Struct, field

from egressd.model.snapshot import ConfigStatus


class Intents(Struct):
    """Stop and reload requests, and whether the server listens."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the server once its port is bound."""
    reload_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[asyncio.Future[ConfigStatus]] = field(default_factory=list)

    def stop(self) -> None:
        """Request the end of the daemon."""
        self.stopping.set()

    def request_reload(self) -> None:
        """Request a reload; requests made before it begins are one."""
        self.reload_wanted.set()

    async def reload(self) -> ConfigStatus:
        """Request a reload and return its result."""
        future: asyncio.Future[ConfigStatus] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.request_reload()
        return await future

    def begin_reload(self) -> tuple[asyncio.Future[ConfigStatus], ...]:
        """Return the callers that wait for a result; later requests are for the next reload."""
        self.reload_wanted.clear()
        waiting, self._waiting = tuple(self._waiting), []
        return waiting
