"""The sd_notify(3) protocol: readiness, status and watchdog, one datagram per message.

The variables are removed from the environment, so that no child process notifies systemd in our name.
Without systemd nothing is sent; a socket that can't take a message is no error.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

from msgspec import Struct

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
MAX_STATUS = 500


class SdNotifier(Struct, kw_only=True):
    """Sends messages to systemd; `address` is empty where there is none."""

    address: str = ""
    watchdog: float | None = None
    """Seconds after which systemd kills a silent daemon; None: never."""
    _status: str = ""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> SdNotifier:
        """Read and remove the variables of systemd."""
        address, usec, pid = (environment.pop(name, "") for name in VARIABLES)
        ours = pid in ("", str(os.getpid())) and usec.isascii() and usec.isdigit() and int(usec) > 0
        return cls(
            address=address if address[:1] in ("/", "@") else "",
            watchdog=int(usec) / 1_000_000 if ours else None,
        )

    def ready(self, status: str) -> None:
        """Report that the configuration is good and the port bound; also ends a reload."""
        self._status = status
        self._send("READY=1", f"STATUS={_line(status)}")

    def waiting(self, seconds: float, status: str) -> None:
        """Ask for more time to start, counted from now, and say why."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """Report that the configuration is being read again."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, text: str) -> None:
        """Set the line of `systemctl status`, if it has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
        ):
            connection.setblocking(False)
            connection.connect(address)
            connection.send("\n".join(lines).encode())


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_STATUS]
