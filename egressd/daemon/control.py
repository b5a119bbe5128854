"""Intents: what signals and requests want of the daemon. They set a wish; its tasks carry it out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from egressd.model.snapshot import ConfigStatus


@dataclass(slots=True)
class Control:
    """The wishes, and whether the server listens."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the server once its port is bound."""
    reload_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[asyncio.Future[ConfigStatus]] = field(default_factory=list)

    def stop(self) -> None:
        """Ask for the end."""
        self.stopping.set()

    def ask_reload(self) -> None:
        """Ask for the configuration to be read again. Many wishes before it begins are one."""
        self.reload_wanted.set()

    async def reload(self) -> ConfigStatus:
        """Ask for a reload and wait for what became of it."""
        future: asyncio.Future[ConfigStatus] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.ask_reload()
        return await future

    def begin_reload(self) -> tuple[asyncio.Future[ConfigStatus], ...]:
        """Take the wishes that are there; later ones are for the next reload."""
        self.reload_wanted.clear()
        waiting, self._waiting = tuple(self._waiting), []
        return waiting
