"""The listening socket: opened once, kept when TLS changes, closed at the end."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct, field

from egressd import clock
from egressd.bugs import run_again
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.reload import MAX_PROBLEMS
from egressd.errors import AbsentListenError, ListenError, Part
from egressd.log import get_logger
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings, Web
from egressd.net.sockets.listening import TcpSocket, open_listening, split_listen, why_not_listening
from egressd.web.access import Access
from egressd.web.app import make_app
from egressd.web.connection.admission import Admission, Slot
from egressd.web.connection.listener import Listener
from egressd.web.connection.protocol import ClientConnection, begin_on_connection
from egressd.web.middleware import ALWAYS, PRODUCT, Gate
from egressd.web.origin import is_loopback_only
from egressd.wording import host_port

log = get_logger("egressd")

CHECK_EVERY = 2.0
"""Seconds between checks of the web configuration's files."""
CLOSING = 2.0
"""Seconds a request may take at shutdown; aiohttp waits twice as long at most."""


def is_no_bad_request(record: logging.LogRecord) -> bool:
    """Filter out malformed requests, which were answered 400.

    Scanners, and TLS clients on a plain port, would fill the journal with tracebacks.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, HttpProcessingError) and error.code < HTTPStatus.INTERNAL_SERVER_ERROR)


def is_no_late_resume(record: logging.LogRecord) -> bool:
    """Filter out what asyncio logs of a TLS connection that was aborted while reading was to go on.

    A client that sends without reading would fill the journal with it (Python 3.11 to 3.13, `sslproto`).
    """
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and "cannot switch state" in str(error))


requests_log = logging.getLogger("egressd.http")
requests_log.addFilter(is_no_bad_request)
logging.getLogger("asyncio").addFilter(is_no_late_resume)


async def serve(holder: SnapshotHolder, settings: Settings, intents: Intents, *, catalog: Catalog) -> None:
    """Bind the port, set `intents.listening`, and serve until cancelled.

    Raises:
        ConfigError: the web configuration is wrong.
        ListenError: the address can't be bound.
    """
    server = Server(holder=holder, intents=intents, catalog=catalog)
    await server.open(settings.web)
    await server.run()


class Server(Struct, kw_only=True):
    """The daemon's HTTP server."""

    holder: SnapshotHolder
    intents: Intents
    catalog: Catalog
    access: Access = field(default_factory=Access)
    admission: Admission = field(default_factory=Admission)
    _runner: web.AppRunner | None = None
    _sockets: tuple[TcpSocket, ...] = ()

    async def open(self, settings: Web) -> None:
        """Listen.

        Raises:
            ConfigError: the web configuration is wrong.
            UsageError: the address can't be bound.
        """
        self.access.load(settings.config_file)
        host, port = split_listen(settings.listen)
        try:
            self._sockets = await open_listening(host, port)
        except OSError as error:
            # From Python 3.13 on the loop skips an address that is not here, and names no number.
            number = error.errno or errno.EADDRNOTAVAIL
            kind = AbsentListenError if number == errno.EADDRNOTAVAIL else ListenError
            why = await asyncio.to_thread(why_not_listening, number, port)
            raise kind(f"cannot listen on {settings.listen}: {why}") from None
        addresses = [one.getsockname()[0] for one in self._sockets]
        gate = Gate(access=self.access, holder=self.holder, loopback_only=is_loopback_only(addresses))
        app = make_app(gate, self.holder, self.intents, self.catalog)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING, logger=requests_log)
        await self._runner.setup()
        self.intents.listening.set()
        log.info("listening", addresses=self.addresses)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses it listens on, as `address:port`."""
        names = (one.getsockname() for one in self._sockets)
        return tuple(host_port(host, port) for host, port, *_ in names)

    async def run(self) -> None:
        """Serve until cancelled; read the web configuration again when its files change."""
        try:
            async with asyncio.TaskGroup() as group:
                for one in self._sockets:
                    listener = Listener(
                        listening=one,
                        admission=self.admission,
                        protocol=self._protocols(),
                        context=lambda: self.access.rules.context,
                    )
                    group.create_task(run_again(Part.HTTP, listener.run), name="listener")
                group.create_task(run_again(Part.HTTP, self._refresh), name="web configuration")
        finally:
            await self.close()

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            path = self.holder.current.settings.web.config_file
            if self.access.has_file(path):
                await asyncio.to_thread(self.access.refresh, path)
            self._publish_problems()
            self.admission.report()

    def _publish_problems(self) -> None:
        """Put the problems of the file into the snapshot: a restart would fail with them."""
        config = self.holder.current.config
        problems = self.access.problems[:MAX_PROBLEMS]
        if problems != config.web_problems:
            self.holder.update(config=config.with_web(problems, clock.timestamp()))

    async def close(self) -> None:
        """Stop listening, and let requests end."""
        self.intents.listening.clear()
        for one in self._sockets:
            one.close()
        self._sockets = ()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _protocols(self) -> Callable[[Slot], ClientConnection]:
        if self._runner is None or self._runner.server is None:
            raise RuntimeError("the server was not set up")
        server = self._runner.server
        server.request_factory = begin_on_connection(server.request_factory)
        headers = {**ALWAYS, hdrs.SERVER: PRODUCT}
        return lambda slot: ClientConnection(server, slot=slot, admission=self.admission, headers=headers)
