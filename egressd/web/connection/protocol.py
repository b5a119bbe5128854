"""One connection: aiohttp's protocol, with a deadline for each step and a bound on what is read ahead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from egressd import clock
from egressd.web.connection.admission import Admission, Slot

HEAD = 10.0
"""Seconds from the first byte of a request, or from the connection, to the end of its head."""
ANSWER = 60.0
"""Seconds from the head to the last byte that the client takes; a probe may take 30."""
IDLE = 120.0
"""Seconds a connection is kept for the next request: longer than Prometheus usually waits between scrapes."""
LINGER = 2.0
"""Seconds for a body that nobody reads."""
MOST_AHEAD = 64 * 1024
"""Bytes that may come beyond the request that is answered: no head of ours is that long, and no body."""
LONGEST_LINE = 8190
"""Bytes of the request line, and of a header."""
MOST_HEADERS = 64

log = logging.getLogger("egressd.http")


class ClientConnection(web.RequestHandler):
    """A connection that ends when its client is too slow or sends too much.

    aiohttp has one timeout, for idle connections, and closes without dropping what the client does not read.
    """

    __slots__ = ("_ahead", "_deadline", "_headers", "_slot", "_slots", "_wire")

    def __init__(
        self, server: web.Server, *, slot: Slot, admission: Admission, headers: Mapping[str, str]
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=log,
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it
            keepalive_timeout=IDLE,
            lingering_time=LINGER,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            auto_decompress=False,  # no page reads a body
        )
        self._slot, self._slots, self._headers = slot, admission, headers
        self._wire: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._ahead = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._wire = self.transport
        self._slot.close = self.abort
        self._allow(HEAD)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place up."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._slots.release(self._slot)
        super().connection_lost(exc)
        # Without cycles its buffers, 256 KiB with TLS, are free at once.
        self._wire = self._deadline = None

    def data_received(self, data: bytes) -> None:
        """Read on, within the bound."""
        if not self._slot.answering and not self._ahead:
            self._allow(HEAD)
        self._ahead += len(data)
        if self._ahead > MOST_AHEAD:
            self.abort()
            return
        super().data_received(data)

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        super().pause_writing()
        self._slot.blocked = True

    def resume_writing(self) -> None:
        """Note that it reads again."""
        super().resume_writing()
        self._slot.blocked = False

    def begin(self) -> None:
        """Answer a request whose head is complete."""
        self._slot.answering = True
        self._ahead = self._ahead if self._messages else 0
        self._allow(ANSWER)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the end of an answer, then wait for the next request."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._slot.answering, self._slot.since = False, clock.monotonic()
            self._allow(HEAD if self._ahead else IDLE)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that can't be read, or a bug, without repeating what was sent."""
        text = "the request can't be read\n" if isinstance(exc, HttpProcessingError) else message
        answer = super().handle_error(request, status, exc, text)
        answer.headers.update(self._headers)
        return answer

    def abort(self) -> None:
        """End the connection at once, whatever is still to be sent."""
        if self._wire is not None:
            self._wire.abort()

    def _allow(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)


def begin_on_connection(request_factory: Any) -> Any:
    """Return a request factory that tells the connection that a head is complete."""

    def make(message: Any, payload: Any, protocol: ClientConnection, *rest: Any) -> web.BaseRequest:
        protocol.begin()
        made: web.BaseRequest = request_factory(message, payload, protocol, *rest)
        return made

    return make
