"""A program: servers with faults that no real server can be configured for. Arguments: NAME=PORT ...

Sockets only, one thread per connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

LONG = 3600.0
NO_LINGER = struct.pack("ii", 1, 0)
ALERT_INTERNAL_ERROR = bytes.fromhex("15030300020250")
SERVER_HELLO_CUT = bytes.fromhex("160303007a0200007603") + b"\x11" * 40


def _read_client_hello(peer: socket.socket) -> None:
    peer.recv(65536)


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


def reset_after_hello(peer: socket.socket) -> None:
    """Read the ClientHello, then RST."""
    _read_client_hello(peer)
    _reset(peer)


def fin_after_hello(peer: socket.socket) -> None:
    """Read the ClientHello, then FIN."""
    _read_client_hello(peer)


def silent_after_hello(peer: socket.socket) -> None:
    """Read everything and never answer."""
    while peer.recv(65536):
        pass


def alert_80(peer: socket.socket) -> None:
    """Answer the ClientHello with a fatal internal_error."""
    _read_client_hello(peer)
    peer.sendall(ALERT_INTERNAL_ERROR)
    _read_client_hello(peer)


def ssh(peer: socket.socket) -> None:
    """Send the first bytes, as an SSH server does."""
    peer.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    _read_client_hello(peer)


def half_record(peer: socket.socket) -> None:
    """Send half of a ServerHello and no more."""
    _read_client_hello(peer)
    peer.sendall(SERVER_HELLO_CUT)
    silent_after_hello(peer)


def half_record_fin(peer: socket.socket) -> None:
    """Send half of a ServerHello, then FIN."""
    _read_client_hello(peer)
    peer.sendall(SERVER_HELLO_CUT)


def garbage(peer: socket.socket) -> None:
    """Send random bytes endlessly."""
    while True:
        peer.sendall(os.urandom(65536))


def endless_header(peer: socket.socket) -> None:
    """Send response headers that never end."""
    _read_client_hello(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"X-Padding: " + b"a" * 8000 + b"\r\n")


def one_endless_line(peer: socket.socket) -> None:
    """Send a header line that never ends."""
    _read_client_hello(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    while True:
        peer.sendall(b"a" * 65536)


def gigabyte(peer: socket.socket) -> None:
    """Send a body of one gigabyte."""
    _read_client_hello(peer)
    peer.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1073741824\r\n\r\n"
    )
    block = b"\0" * 1048576
    for _ in range(1024):
        peer.sendall(block)


def drip(peer: socket.socket) -> None:
    """Send a valid response, one byte per second."""
    _read_client_hello(peer)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
        peer.sendall(bytes([byte]))
        time.sleep(1)


def truncated(peer: socket.socket) -> None:
    """Announce 200,000 bytes, send 1,000, then FIN."""
    _read_client_hello(peer)
    peer.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 200000\r\n\r\n"
    )
    peer.sendall(b"\x7fELF" + b"\0" * 996)
    time.sleep(0.2)


def nothing(peer: socket.socket) -> None:
    """Accept, and never read or write."""
    time.sleep(LONG)


TCP_SERVERS: dict[str, Callable[[socket.socket], None]] = {
    one.__name__: one
    for one in (
        reset_after_hello,
        fin_after_hello,
        silent_after_hello,
        alert_80,
        ssh,
        half_record,
        half_record_fin,
        garbage,
        endless_header,
        one_endless_line,
        gigabyte,
        drip,
        truncated,
        nothing,
    )
}


def _handle(behaviour: Callable[[socket.socket], None], peer: socket.socket) -> None:
    with peer, contextlib.suppress(OSError):
        behaviour(peer)


def _serve(port: int, behaviour: Callable[[socket.socket], None]) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_handle, args=(behaviour, peer), daemon=True).start()


def _full_backlog(port: int) -> None:
    """Listen with a full backlog and never accept: every further SYN is dropped."""
    listener = socket.create_server(("127.0.0.1", port), backlog=0)
    waiting = []
    for _ in range(16):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        waiting.append(one)
    time.sleep(LONG)
    listener.close()


def _udp(port: int, answer: Callable[[bytes], bytes | None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", port))
        while True:
            question, peer = one.recvfrom(65536)
            reply = answer(question)
            if reply is not None:
                one.sendto(reply, peer)


DNS_SERVERS: dict[str, Callable[[bytes], bytes | None]] = {
    "dns_silent": lambda _: None,
    "dns_servfail": lambda question: question[:2] + b"\x81\x82" + question[4:],
    "dns_noise": lambda question: question[:2] + os.urandom(200),
    "dns_loop": lambda question: (
        question[:2] + bytes.fromhex("818000010001000000000c00c0") + b"\xc0\x0c" * 60
    ),
}


def _run_server(name: str, port: int) -> None:
    if name in TCP_SERVERS:
        _serve(port, TCP_SERVERS[name])
    elif name in DNS_SERVERS:
        _udp(port, DNS_SERVERS[name])
    else:
        _full_backlog(port)


def main() -> None:
    """Start the servers named by the arguments; run until killed."""
    for word in sys.argv[1:]:
        name, _, port = word.partition("=")
        threading.Thread(target=_run_server, args=(name, int(port)), daemon=True).start()
    time.sleep(LONG)


if __name__ == "__main__":
    main()
