"""A process of servers that flood, each on a port of its own, and of servers that are well.

Run as a program it prints one line of JSON, the ports by name, and serves until its input ends. `well`
answers over HTTPS, `dns` gives names below `flood.test` the address of loopback, and `proxy` opens tunnels to
any port of it. `proxy-NAME` answers CONNECT with a flood.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from egressd.lab.authority import CertificateAuthority
from tests.hostile.floods.kinds import ALL_FLOODS, ANSWERS, END, Serve, after_request, after_request_in_tls
from tests.hostile.floods.peer import Peer

DOMAIN = ".flood.test."
LOOPBACK = "127.0.0.1"
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
FLOOD_OF_DATAGRAMS = 200_000
REFUSED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Flooding:
    """Servers that run: their ports by name, and the certificates to trust."""

    ports: dict[str, int]
    folder: Path
    process: subprocess.Popen[str]

    @property
    def trust_store(self) -> Path:
        """The roots of the servers' certificates, in PEM."""
        return self.folder / "trust-store.pem"


@contextmanager
def flooding(*names: str, rate: int = 0, nice: int = 0, folder: Path | None = None) -> Iterator[Flooding]:
    """Run servers in a process of their own. No name: all of them.

    `rate`: bytes per second of each. `nice`: as in nice(1), so that the processor goes to others first.
    """
    with tempfile.TemporaryDirectory(prefix="floods-") as own:
        where = folder or Path(own)
        command = [sys.executable, "-m", "tests.hostile.floods.serve", f"--rate={rate}", f"--nice={nice}"]
        command += [str(where), *names]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Flooding(json.loads(process.stdout.readline()), where, process)
            finally:
                process.kill()


def servers() -> dict[str, Serve]:
    """Return what can be served, by name."""
    floods = {one.name: one.serve for one in ALL_FLOODS}
    proxies = {f"proxy-{name}": after_request(chunks) for name, chunks in ANSWERS.items()}
    return {
        "well": after_request_in_tls(lambda: iter((WELL,))),
        "proxy": _tunnel,
        **floods,
        **proxies,
    }


def _tunnel(peer: Peer) -> None:
    """Open a tunnel to the port that is asked for, or pass a request in clear on; nothing leaves loopback."""
    head = peer.read_until(END)
    if END not in head:  # the client closed
        return
    method, target, _ = head.split(maxsplit=2)
    host, _, port = target.removeprefix(b"http://").partition(b"/")[0].rpartition(b":")
    if not host.endswith(DOMAIN.rstrip(".").encode()):
        peer.sock.sendall(REFUSED)
        return
    with socket.create_connection((LOOPBACK, port)) as onward:
        if method == b"CONNECT":
            peer.sock.sendall(GRANTED)
        else:
            onward.sendall(head)
        back = threading.Thread(target=_copy, args=(onward, peer.sock), daemon=True)
        back.start()
        _copy(peer.sock, onward)
        back.join()


def _copy(origin: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := origin.recv(65536):
            to.sendall(data)
    for one in (origin, to):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _listen(serve: Callable[[socket.socket], None]) -> int:
    listener = socket.create_server((LOOPBACK, 0), backlog=256)

    def accept() -> None:
        while True:
            with suppress(OSError):
                sock, _ = listener.accept()
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def resolve(query: bytes) -> Iterator[bytes]:
    """Answer with the address of loopback, for names below `DOMAIN`."""
    question = dns.message.from_wire(query)
    answer = dns.message.make_response(question, recursion_available=True)
    asked = question.question[0]
    if not str(asked.name).endswith(DOMAIN):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif asked.rdtype == dns.rdatatype.A:
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "A", LOOPBACK))
    yield answer.to_wire()


def other_ids(query: bytes) -> Iterator[bytes]:
    """Answer other questions, for seconds."""
    other = bytes((query[0] ^ 1, query[1]))
    yield from repeat(other + next(resolve(query))[2:], FLOOD_OF_DATAGRAMS)


def other_times(query: bytes) -> Iterator[bytes]:
    """Answer as a time server, other requests than this one."""
    yield from repeat(bytes((0x24, 2)) + bytes(46), FLOOD_OF_DATAGRAMS)


DATAGRAMS = {"dns": resolve, "dns-other-ids": other_ids, "ntp-other-times": other_times}


def _serve_datagrams(answer: Callable[[bytes], Iterator[bytes]]) -> int:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOOPBACK, 0))

    def send(data: bytes, client: tuple[str, int]) -> None:
        with suppress(OSError):
            for one in answer(data):
                sock.sendto(one, client)

    def serve() -> None:
        while True:
            with suppress(OSError):
                data, client = sock.recvfrom(4096)
                threading.Thread(target=send, args=(data, client), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    port: int = sock.getsockname()[1]
    return port


def _served(serve: Serve, authority: CertificateAuthority, rate: int) -> Callable[[socket.socket], None]:
    def run(sock: socket.socket) -> None:
        with sock, suppress(OSError):  # the client closed
            serve(Peer(sock, authority, rate))

    return run


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    os.nice(asked.nice)
    known = servers()
    authority = CertificateAuthority(asked.folder)
    ports = {
        name: _serve_datagrams(DATAGRAMS[name])
        if name in DATAGRAMS
        else _listen(_served(known[name], authority, asked.rate))
        for name in asked.names or (*known, *DATAGRAMS)
    }
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
