"""Processes of egressd on a host of files, and a server that is mirror and proxy at once."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

PROGRAM = """
import sys
from pathlib import Path
import egressd.config.load
egressd.config.load.HOST_ROOT = Path(sys.argv.pop(1))
from egressd.__main__ import main
main()
"""
"""The program itself, with a folder that stands for `/` as its first argument."""
CODE = str(Path(__file__).parents[2])


def egressd(
    root: Path, *arguments: str, before: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run egressd with the package managers' files below a folder."""
    plain = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        [*before, sys.executable, "-c", PROGRAM, str(root), *arguments],
        env=plain | {"COLUMNS": "200", "PYTHONPATH": CODE} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )


def _inside(plain: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    plain.settimeout(5)
    return plain if tls is None else tls.wrap_socket(plain, server_side=True)


@contextmanager
def answering_server(
    status: str = "200 OK", tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Answer every request alike; give the port, and the request lines with their logins as they arrive."""
    requests: list[str] = []

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _ = server.accept()
                with plain, suppress(OSError), _inside(plain, tls) as one:
                    lines = one.recv(65536).decode("latin-1").split("\r\n")
                    login = [
                        line.partition(": ")[2] for line in lines if line.lower().startswith("proxy-auth")
                    ]
                    requests.append(" ".join((lines[0], *login)))
                    one.sendall(
                        f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode()
                    )

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1], requests
