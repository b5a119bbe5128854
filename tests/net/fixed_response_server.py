"""A program: a TCP server that answers with fixed bytes, as no real server can be configured to.

Arguments: PORT=HEX ... or PORT=tls:HEX ...: the bytes to answer any request with. With `tls:`, they are sent
in a TLS session; the two arguments after `--` are its certificate and key.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading


def _answer(peer: socket.socket, response: bytes, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), peer:
        peer.settimeout(10)
        if context is not None:
            peer = context.wrap_socket(peer, server_side=True)
        peer.recv(65536)
        peer.sendall(response)
        peer.recv(65536)


def _serve(listener: socket.socket, response: bytes, context: ssl.SSLContext | None) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_answer, args=(peer, response, context), daemon=True).start()


def main(arguments: list[str]) -> None:
    """Listen on every port named."""
    context = None
    if "--" in arguments:
        at = arguments.index("--")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments[at + 1 :])
        arguments = arguments[:at]
    for one in arguments:
        port, _, response = one.partition("=")
        inside = response.startswith("tls:")
        listener = socket.create_server(("0.0.0.0", int(port)), backlog=64)
        given = (listener, bytes.fromhex(response.removeprefix("tls:")), context if inside else None)
        threading.Thread(target=_serve, args=given, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
