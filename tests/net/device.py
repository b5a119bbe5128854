"""A program: a device that answers connections in ways no real server's configuration can ask for.

Arguments: PORT=HEX ... or PORT=tls:HEX ...: whatever is said, these bytes are the answer. With `tls:`, the
answer comes inside a session; the two arguments after `--` are its certificate and key.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading


def _answer(peer: socket.socket, words: bytes, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), peer:
        peer.settimeout(10)
        if context is not None:
            peer = context.wrap_socket(peer, server_side=True)
        peer.recv(65536)
        peer.sendall(words)
        peer.recv(65536)


def _serve(listener: socket.socket, words: bytes, context: ssl.SSLContext | None) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_answer, args=(peer, words, context), daemon=True).start()


def main(arguments: list[str]) -> None:
    """Listen on every port named."""
    context = None
    if "--" in arguments:
        at = arguments.index("--")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments[at + 1 :])
        arguments = arguments[:at]
    for one in arguments:
        port, _, words = one.partition("=")
        inside = words.startswith("tls:")
        listener = socket.create_server(("0.0.0.0", int(port)), backlog=64)
        given = (listener, bytes.fromhex(words.removeprefix("tls:")), context if inside else None)
        threading.Thread(target=_serve, args=given, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
