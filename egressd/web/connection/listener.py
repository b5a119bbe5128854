"""Accepts connections from one listening socket.

The loop's own server takes connections without bound, and while descriptors are short it logs a hundred
failed accepts a second.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

from msgspec import Struct

from egressd.bugs import report_bug
from egressd.errors import Part
from egressd.log import get_logger
from egressd.net.sockets.listening import TcpSocket
from egressd.web.connection.admission import Admission, Slot
from egressd.web.tls import ServerContext

HANDSHAKE = 10.0
"""Seconds for a TLS handshake."""
GOODBYE = 2.0
"""Seconds for the end of TLS."""
PAUSE = 0.5
"""Seconds before the next attempt, where the system is short of something."""
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = get_logger("egressd")


class Listener(Struct, kw_only=True):
    """A listening socket and its connections."""

    listening: TcpSocket
    admission: Admission
    protocol: Callable[[Slot], asyncio.Protocol]
    context: Callable[[], ServerContext | None]
    """The TLS context in force; None: plain HTTP."""
    _short: bool = False
    """Whether the last attempt failed for want of something."""

    async def run(self) -> None:
        """Accept until cancelled; one per turn of the loop, so that a flood delays no other task."""
        async with asyncio.TaskGroup() as group:
            while True:
                accepted = await self._accept()
                if accepted is not None:
                    connected, slot = accepted
                    group.create_task(self._connect(connected, slot), name="HTTP handshake")
                await asyncio.sleep(0)

    async def _accept(self) -> tuple[TcpSocket, Slot] | None:
        """Accept a connection that may stay."""
        try:
            connected, address = await asyncio.get_running_loop().sock_accept(self.listening)
        except ConnectionError:
            return None  # the client has gone already
        except OSError as error:
            await self._wait_out(error)
            return None
        self._short = False
        slot = self.admission.admit(_host(address))
        if slot is None:
            connected.close()
            return None
        return connected, slot

    async def _wait_out(self, error: OSError) -> None:
        """Wait before the next attempt, and log the first of a row."""
        if not self._short:
            log.error("the HTTP server can't accept connections", why=error.strerror)
            self._short = True
        if error.errno in _SHORTAGES:
            self.admission.free_descriptor()
        await asyncio.sleep(PAUSE)

    async def _connect(self, connected: TcpSocket, slot: Slot) -> None:
        """Hand a connection to its protocol, after the TLS handshake where there is one."""
        task = asyncio.current_task()
        if task is not None:
            slot.close = task.cancel
        context = self.context()
        limits = {"ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": GOODBYE} if context else {}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self.protocol(slot), connected, ssl=context, **limits
            )
        except OSError as left:  # or no TLS: nothing to say
            self.admission.release(slot)
            left.with_traceback(None)  # its frames lead back to it, and would keep 256 KiB of buffers
        except asyncio.CancelledError:
            self.admission.release(slot)
            raise
        except Exception as bug:  # noqa: BLE001 - it is reported
            self.admission.release(slot)
            report_bug(Part.HTTP, bug)


def _host(address: object) -> str:
    """Return the host of a socket's address."""
    return str(address[0]) if isinstance(address, tuple) else ""
