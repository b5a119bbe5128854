"""The listening socket: opened once, kept when TLS changes, closed at the end."""

from __future__ import annotations

import asyncio
import errno
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from egressd import clock
from egressd.bugs import run_again
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.reload import MAX_PROBLEMS
from egressd.errors import AbsentListenError, ListenError, Part
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings, Web
from egressd.net.sockets.listening import split_listen, why_not_listening
from egressd.web.access import Access
from egressd.web.app import make_app
from egressd.web.tls import ServerContext
from egressd.wording import host_port

log = structlog.get_logger("egressd")

CHECK_EVERY = 2.0
"""Seconds between checks of the web configuration's files."""
CLOSING = 2.0
"""Seconds a request may take at shutdown; aiohttp waits twice as long at most."""
HANDSHAKE = 10.0


def is_no_bad_request(record: logging.LogRecord) -> bool:
    """Filter out malformed requests, which were answered 400.

    Scanners, and TLS clients on a plain port, would fill the journal with tracebacks.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, HttpProcessingError) and error.code < HTTPStatus.INTERNAL_SERVER_ERROR)


requests_log = logging.getLogger("egressd.http")
requests_log.addFilter(is_no_bad_request)


def _tls(context: ServerContext | None) -> dict[str, Any]:
    return {"ssl": context, "ssl_handshake_timeout": HANDSHAKE} if context else {}


async def serve(holder: SnapshotHolder, settings: Settings, intents: Intents, *, catalog: Catalog) -> None:
    """Bind the port, set `intents.listening`, and serve until cancelled.

    Raises:
        ConfigError: the web configuration is wrong.
        ListenError: the address can't be bound.
    """
    server = Server(holder=holder, intents=intents, catalog=catalog)
    await server.open(settings.web)
    await server.run()


@dataclass(slots=True, kw_only=True)
class Server:
    """The daemon's HTTP server."""

    holder: SnapshotHolder
    intents: Intents
    catalog: Catalog
    access: Access = field(default_factory=Access)
    _runner: web.AppRunner | None = None
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def open(self, settings: Web) -> None:
        """Listen.

        Raises:
            ConfigError: the web configuration is wrong.
            ListenError: the address can't be bound.
        """
        self.access.load(settings.config_file)
        app = make_app(self.holder, self.intents, self.access, self.catalog)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING, logger=requests_log)
        await self._runner.setup()
        host, port = split_listen(settings.listen)
        try:
            self._servers = [
                await asyncio.get_running_loop().create_server(
                    self._protocols(), host, port, **_tls(self.access.rules.context)
                )
            ]
        except OSError as error:
            await self._runner.cleanup()
            # From Python 3.13 on the loop skips an address that is not here, and names no number.
            number = error.errno or errno.EADDRNOTAVAIL
            kind = AbsentListenError if number == errno.EADDRNOTAVAIL else ListenError
            why = await asyncio.to_thread(why_not_listening, number, port)
            raise kind(f"cannot listen on {settings.listen}: {why}") from None
        self.intents.listening.set()
        log.info("listening", addresses=self.addresses)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses it listens on, as `address:port`."""
        names = (one.getsockname() for server in self._servers for one in server.sockets)
        return tuple(host_port(host, port) for host, port, *_ in names)

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await run_again(Part.HTTP, self._refresh)
        finally:
            await self.close()

    async def _refresh(self) -> None:
        """Read the web configuration again when its files change, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            before = self.access.rules.context
            path = self.holder.current.settings.web.config_file
            if await asyncio.to_thread(self.access.refresh, path):
                await self._replace_servers(before)
            self._publish_problems()

    def _publish_problems(self) -> None:
        """Put the problems of the file into the snapshot: a restart would fail with them."""
        config = self.holder.current.config
        problems = self.access.problems[:MAX_PROBLEMS]
        if problems != config.web_problems:
            self.holder.update(config=config.with_web(problems, clock.timestamp()))

    async def close(self) -> None:
        """Stop listening, and let requests end."""
        self.intents.listening.clear()
        for one in self._servers:
            one.close()
        self._servers = []
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _protocols(self) -> web.Server:
        if self._runner is None or self._runner.server is None:
            raise RuntimeError("the server was not set up")
        return self._runner.server

    async def _replace_servers(self, before: ServerContext | None) -> None:
        """Serve the same sockets with a new context; open connections keep the old one."""
        context = self.access.rules.context
        if context is before:
            return
        loop, old = asyncio.get_running_loop(), self._servers
        self._servers = [
            await loop.create_server(self._protocols(), sock=sock.dup(), **_tls(context))
            for server in old
            for sock in server.sockets
        ]
        for server in old:
            server.close()
