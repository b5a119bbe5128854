"""A device that ends TLS and signs with another authority on each connection."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.certificates import LeafSpec, authority, leaf


class RenamingInspector:
    """A port of loopback. `connections` counts the handshakes, each of which showed another authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        leaf(folder, "first", LeafSpec(issuer=None))
        self._first = self._context("first")
        self._first.sni_callback = self._choose

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            with self._first.wrap_socket(connection, server_side=True) as secure:
                secure.recv(4096)

    def _choose(self, secure: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        self.connections += 1
        number = self.connections
        own = authority(f"Inspector {number}", organization=f"Box {number}")
        spec = LeafSpec(issuer=own, names=(name or "none",), common=name or "none", sent_with=(own,))
        leaf(self._folder, f"leaf-{number}", spec)
        secure.context = self._context(f"leaf-{number}")

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context
