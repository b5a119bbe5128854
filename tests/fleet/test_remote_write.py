"""What Prometheus sends to a long-term store, and what it makes of the answers: remote write 1.0.

Thanos Receive and Mimir take the same requests, with a header for the tenant. Here a relay stands before
Prometheus' own receiver: it notes each request, answers as it is told, and else passes it on.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.fleet.files import AGENT, document
from tests.ports import free_port
from tests.waiting import until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package)"
    ),
]
TIMEOUT = 180.0
HOST = "127.0.0.1"
TENANTS = {"X-Scope-OrgID": "sites", "THANOS-TENANT": "sites"}
"""Mimir's header, and that of Thanos Receive."""
PAGE = b'# TYPE egressd_site_info gauge\negressd_site_info{site="oslo-1"} 1\nprobe_left_at_the_site 1\n'


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, and the answer to it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answered: int


@dataclass(kw_only=True)
class Relay:
    """What stands before the receiver: it notes, answers with what is next, and else passes on."""

    receiver: str
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; none left: that of the receiver."""
    received: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status for a request."""
        with self.lock:
            status = self.answers.pop(0) if self.answers else self._pass_on(path, headers, body)
            self.received.append(
                Received(method=method, path=path, headers=headers, body=body, answered=status)
            )
        return status

    def _pass_on(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        connection = http.client.HTTPConnection(self.receiver, timeout=TIMEOUT)
        try:
            connection.request("POST", path, body=body, headers=dict(headers))
            return connection.getresponse().status
        except OSError:
            return 503
        finally:
            connection.close()

    def answered(self, status: int) -> list[Received]:
        """Return the requests that got this answer."""
        with self.lock:
            return [one for one in self.received if one.answered == status]


def serve_relay(relay: Relay) -> ThreadingHTTPServer:
    """Make the server: what is written to, and the page that is scraped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200, PAGE)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = relay.answer("POST", self.path, dict(self.headers.items()), body)
            self._reply(status, b"" if status < 300 else b"told to refuse")

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it is called by
            return

    return ThreadingHTTPServer((HOST, 0), Handler)


def agent_config(relay: str) -> dict[str, Any]:
    """Return the agent's shipped configuration, which writes to the relay and names a tenant."""
    file: dict[str, Any] = document(f"{AGENT}.yml")
    file["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    (job,) = file["scrape_configs"]
    job["static_configs"][0]["targets"] = [relay]
    (remote,) = file["remote_write"]
    for name in ("tls_config", "basic_auth"):
        remote.pop(name, None)
    remote |= {"url": f"http://{relay}/api/v1/write", "headers": TENANTS}
    remote["queue_config"] |= {"batch_send_deadline": "1s", "min_backoff": "100ms", "max_backoff": "200ms"}
    return file


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The relay, and the receiver behind it."""

    relay: Relay
    agent: str
    """Where the agent answers."""

    def count(self) -> float:
        """Return how many samples of the site the receiver has."""
        query = urllib.parse.urlencode({"query": "count_over_time(egressd_site_info[1h])"})
        with urllib.request.urlopen(
            f"http://{self.relay.receiver}/api/v1/query?{query}", timeout=30
        ) as answer:
            found = json.load(answer)["data"]["result"]
        return sum(float(one["value"][1]) for one in found)

    def names(self) -> set[str]:
        """Return the names of the series that the receiver has."""
        with urllib.request.urlopen(
            f"http://{self.relay.receiver}/api/v1/label/__name__/values", timeout=30
        ) as answer:
            return {*json.load(answer)["data"]}

    def dropped(self) -> float:
        """Return how many samples the agent gave up, by its own metric."""
        with urllib.request.urlopen(f"http://{self.agent}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        name = "prometheus_remote_storage_samples_failed_total"
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Run a receiver, the relay, and the agent."""
    folder = tmp_path_factory.mktemp("remote-write")
    receiver, agent = (f"{HOST}:{free_port()}" for _ in range(2))
    relay = Relay(receiver=receiver)
    with ExitStack() as stack:
        server = stack.enter_context(serve_relay(relay))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        (folder / "receiver.yml").write_text("{}", encoding="utf-8")
        (folder / "agent.yml").write_text(
            yaml.safe_dump(agent_config(f"{HOST}:{server.server_address[1]}")), encoding="utf-8"
        )
        receiving = ["--web.enable-remote-write-receiver", f"--storage.tsdb.path={folder / 'received'}"]
        sending = ["--enable-feature=agent", f"--storage.agent.path={folder / 'sent'}"]
        for name, address, words in (("receiver", receiver, receiving), ("agent", agent, sending)):
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            command = ["prometheus", f"--config.file={folder / f'{name}.yml'}"]
            command += [f"--web.listen-address={address}", *words]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        made = Setup(relay=relay, agent=agent)
        until(lambda: made.count() > 0, "a sample is received")
        yield made


def header(received: Received, name: str) -> str | None:
    """Return a header's value; its name is in any case."""
    return {one.lower(): value for one, value in received.headers.items()}.get(name.lower())


def snappy_length(body: bytes) -> int:
    """Return the length that a snappy block says it has unpacked: a varint at its front."""
    found = 0
    for place, one in enumerate(body):
        found |= (one & 127) << (7 * place)
        if one < 128:
            break
    return found


def test_requests_keep_the_contract(setup: Setup) -> None:
    """Each is a POST of a snappy block of protobuf, in version 0.1.0."""
    taken = setup.relay.answered(204)
    assert taken
    for one in taken:
        assert (one.method, one.path) == ("POST", "/api/v1/write")
        assert header(one, "Content-Encoding") == "snappy"
        assert header(one, "Content-Type") == "application/x-protobuf"
        assert header(one, "X-Prometheus-Remote-Write-Version") == "0.1.0"
        assert len(one.body) <= snappy_length(one.body) * 2
        assert snappy_length(one.body) > 0


def test_the_tenant_is_named_where_the_build_can(setup: Setup) -> None:
    """`headers` name the tenant in each request; Debian's build takes the key, and sends none of them."""
    for one in setup.relay.answered(204):
        sent = {name: header(one, name) for name in TENANTS}
        debian = (header(one, "User-Agent") or "").endswith("+ds")
        assert sent == (dict.fromkeys(TENANTS) if debian else TENANTS)


def test_only_the_subset_is_written(setup: Setup) -> None:
    """What the keep list leaves out does not come to the store; of what Prometheus adds only `up` does."""
    until(lambda: {"up", "egressd_site_info"} <= setup.names(), "both series")
    assert setup.names() == {"up", "egressd_site_info"}


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_may_pass_is_sent_again(setup: Setup, status: int) -> None:
    """The same body is sent until it is taken, after errors of the server and where it is to slow down."""
    before, lost = len(setup.relay.answered(status)), setup.dropped()
    with setup.relay.lock:
        setup.relay.answers += [status] * 3
    until(lambda: len(setup.relay.answered(status)) == before + 3, "it was refused three times")
    refused = setup.relay.answered(status)[before:]
    assert len({one.body for one in refused}) == 1
    until(lambda: refused[0].body in {one.body for one in setup.relay.answered(204)}, "it was taken at last")
    assert setup.dropped() == lost


def test_what_is_wrong_is_given_up(setup: Setup) -> None:
    """What a store rejects for good is not sent again, and counted as lost; the next request goes through."""
    lost, taken = setup.dropped(), setup.count()
    with setup.relay.lock:
        setup.relay.answers.append(400)
    until(lambda: setup.relay.answered(400), "it was refused")
    (refused,) = setup.relay.answered(400)
    until(lambda: setup.count() > taken, "later samples are taken")
    assert [one for one in setup.relay.answered(204) if one.body == refused.body] == []
    until(lambda: setup.dropped() > lost, "the loss is counted")
