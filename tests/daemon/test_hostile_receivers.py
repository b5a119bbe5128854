"""The daemon and receivers that answer to stop it, or whose names are never resolved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from tests.daemon.process import HOSTS, Lab, daemon, settings

ONE = HOSTS[0]
QUICK = {"patience": {"explicit": 1, "silent": 1, "better": 1}}
HOSTILE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + b"<!---->" * 9000,
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndenied " + b"error " * 10_000,
    b"HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 99999999999999999999 0:00 GMT\r\nContent-Length: 0\r\n\r\n",
)
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NEVER_RESOLVED = """\
import socket, time
original = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    if str(host).endswith("hang.example"):
        time.sleep(600)
    return original(host, *rest, **more)
socket.getaddrinfo = getaddrinfo
"""


@dataclass
class Hook:
    """A server that gives a list of answers, then takes everything."""

    answers: list[bytes] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Host and status of each alert that was answered with 200."""
    port: int = 0


@contextmanager
def serving(hook: Hook) -> Iterator[Hook]:
    """Serve until the end of the block."""

    class Answer(StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()).strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            (alert,) = json.loads(self.rfile.read(length))["alerts"]
            if not hook.answers:
                hook.taken.append(f"{alert['labels']['host']} {alert['status']}")
            self.wfile.write(hook.answers.pop(0) if hook.answers else TAKEN)

    with ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        hook.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()


def quick(lab: Lab, *receivers: dict[str, str]) -> str:
    """Return a configuration that alerts and notifies without delay."""
    routes = [{"receivers": [one["name"] for one in receivers]}]
    return settings(lab, interval="1s", alerts=QUICK, notify={"receivers": list(receivers), "routes": routes})


def test_hostile_answers_lose_nothing_and_stop_nothing(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A notice comes through a row of hostile answers, once and in order; health is answered meanwhile."""
    with serving(Hook(answers=list(HOSTILE))) as hook:
        receiver = {"name": "hook", "type": "webhook", "url": f"http://127.0.0.1:{hook.port}/secret-part"}
        config.write_text(
            settings(lab, interval="1s", alerts=QUICK, notify={"receivers": [receiver]}), "utf-8"
        )
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            lab.do(f"on tls_reset={ONE}")
            for left in range(len(HOSTILE)):
                running.until(lambda most=left: len(hook.answers) <= len(HOSTILE) - 1 - most, "told")  # type: ignore[misc]  # a default
                assert running.get("/-/healthy")[0] == 200
            running.until(lambda: hook.taken, "taken")
            lab.do("off")
            running.until(lambda: len(hook.taken) > 1, "ended")
            assert hook.taken == [f"{ONE} firing", f"{ONE} resolved"]
            assert 'notifications_dropped_total{receiver="hook"} 0.0' in running.get("/metrics")[1]
            assert "secret-part" not in running.errors.read_text(encoding="utf-8")
            assert running.stop()[0] == 0


def test_names_that_are_never_resolved_take_no_thread_from_others(
    tmp_path: Path, config: Path, lab: Lab
) -> None:
    """While the names of many receivers hang, as without DNS, sweeps, state and metrics go on."""
    folder = tmp_path / "patched"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NEVER_RESOLVED, encoding="utf-8")
    hooks = [
        {"name": f"hook-{n}", "type": "webhook", "url": f"http://r{n}.hang.example/", "timeout": "1s"}
        for n in range(8)
    ]
    config.write_text(quick(lab, *hooks), encoding="utf-8")
    with daemon(tmp_path, config, PYTHONPATH=str(folder)) as running:
        running.wait_for("3 targets")
        lab.do(f"on tls_reset={ONE}")
        running.until(lambda: len(running.events("notifications can't be delivered")) == 8, "all hang")
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before + 2, "sweeps")
        assert 'egressd_notifications_queue_length{receiver="hook-7"} 1.0' in running.get("/metrics")[1]
        lab.do("off")
        assert running.stop()[0] == 0
