"""A running server on loopback, and a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.model.settings import Settings, Web
from egressd.model.snapshot import Snapshot
from egressd.web.serve import Server
from tests.metrics.snapshots import make_snapshot


@dataclass(kw_only=True)
class Running:
    """A server, its snapshot, and a client."""

    server: Server
    holder: SnapshotHolder
    intents: Intents
    session: aiohttp.ClientSession

    def url(self, path: str, *, scheme: str = "http") -> str:
        return f"{scheme}://{self.server.addresses[0]}{path}"

    async def get(self, path: str, **rest: object) -> tuple[int, str]:
        async with self.session.get(self.url(path), **rest) as answer:  # type: ignore[arg-type]  # as given
            return answer.status, await answer.text()


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start servers; they end with the test."""
    catalog = load_catalog()
    async with AsyncExitStack() as stack:

        async def run(snapshot: Snapshot | None = None, **web: object) -> Running:
            settings = Web(listen="127.0.0.1:0", **web)  # type: ignore[arg-type]  # as given
            shown = snapshot or make_snapshot()
            holder = SnapshotHolder(replace(shown, settings=replace(shown.settings, web=settings)))
            intents = Intents()
            server = Server(holder=holder, intents=intents, catalog=catalog)
            await server.open(settings)
            stack.push_async_callback(end, asyncio.create_task(server.run()))
            session = await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
            )
            return Running(server=server, holder=holder, intents=intents, session=session)

        yield run


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), task.exception()


@pytest.fixture
def settings() -> Settings:
    return Settings()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come")
