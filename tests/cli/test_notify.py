"""`egressd notify`: every type of receiver is tested with servers on loopback, and no secret is shown."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from egressd.cli.service.instance import with_host_names
from egressd.cli.settings import settings_secrets
from egressd.config import Flags, load_settings
from tests.ports import free_port

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


class Web:
    """An HTTP server that records requests and accepts all but those under `/bad`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        calls = self.calls

        class Page(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                calls.append((self.command, self.path, dict(self.headers), body))
                bad = "/bad" in self.path
                refusal = f"no such hook: {self.path} {self.headers.get('Authorization')}".encode()
                message = refusal if bad else b"ok"
                self.send_response(403 if bad else 200)
                self.send_header("Content-Length", str(len(message)))
                self.end_headers()
                self.wfile.write(message)

            do_GET = do_POST  # noqa: N815 - as its parent has it

            def log_message(self, *_arguments: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def to(self, path: str) -> list[bytes]:
        """Return the bodies that came to a path."""
        return [body for _, where, _, body in self.calls if where == path]


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    thread = Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


class Mailbox:
    """The mails that an SMTP server accepted."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs `egressd notify` with the receivers of a test."""

    def command(*words: str, notify: str = "") -> Done:
        path = tmp_path / "egressd.yml"
        path.write_text(f"alerts: {{instance: 'here:10980'}}\nnotify: {notify or '{}'}\n", encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "egressd", "notify", *words, "--config.file", str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return command


def secret(tmp_path: Path, name: str, content: str) -> str:
    """Write a secret's file and return its name."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    return name


def test_every_type_gets_its_test_notice(
    run: Run, web: Web, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    """Every type gets a test notice with the instance; the output has a line each, and the exit code is 0."""
    box, port = mailbox
    secret(tmp_path, "token", "tok-hunter2")
    secret(tmp_path, "slack", f"{web.url}/services/hunter2hunter2")
    secret(tmp_path, "teams", f"{web.url}/workflows/hunter2hunter2")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        done = run(
            "test",
            "--all",
            notify=f"""
  receivers:
    - {{name: tickets, type: webhook, url: "{web.url}/hook", bearer_token_file: token}}
    - {{name: events, type: cloudevents, url: "{web.url}/events"}}
    - {{name: chat, type: slack, url_file: slack}}
    - {{name: teams, type: teams, url_file: teams}}
    - {{name: noc, type: email, server: "127.0.0.1:{port}", security: none, from: a@b.test, to: c@d.test}}
    - {{name: syslog, type: syslog, address: {tmp_path / "log"}}}
    - {{name: deadman, type: heartbeat, url: "{web.url}/alive"}}
  routes: [{{receivers: tickets}}]
""",
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        line = log.recv(10_000).decode()
    rows = done.stdout.splitlines()
    names = ["tickets", "events", "chat", "teams", "noc", "syslog", "deadman"]
    assert [row.split(": ok: ")[0] for row in rows] == names
    assert "hunter2" not in done.stdout
    bodies = [*web.to("/hook"), *web.to("/events"), *web.to("/services/hunter2hunter2")]
    bodies += [*web.to("/workflows/hunter2hunter2"), line.encode(), *(one.content for one in box.mails)]
    assert len(bodies) == 6
    for text in bodies:
        assert b"nothing is wrong" in text.replace(b"=\r\n", b"").replace(b"\r\n", b"")
        assert b"here:10980" in text.replace(b"=\r\n", b"")
    assert [call[0] for call in web.calls if call[1] == "/alive"] == ["GET"]
    (hook,) = [headers for _, path, headers, _ in web.calls if path == "/hook"]
    assert hook["Authorization"] == "Bearer tok-hunter2"


def test_the_test_alert_of_an_alertmanager_is_resolved_at_once(run: Run, web: Web) -> None:
    """Every peer gets a test alert and its end, under a name of its own; an unreachable peer is named."""
    dead = f"http://127.0.0.1:{free_port()}"
    am = f"{{receivers: [{{name: am, type: alertmanager, urls: ['{dead}', '{web.url}/am']}}]}}"
    done = run("test", "am", notify=am)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("am: failed: 1 of 2 peers took a test alert and its end; ")
    assert dead.removeprefix("http://") in first
    assert second.startswith("  check the URL, ")
    opened, ended = (json.loads(body)[0] for body in web.to("/am/api/v2/alerts"))
    assert (
        opened["labels"]
        == ended["labels"]
        == {
            "alertname": "EgressdTest",
            "severity": "info",
            "job": "egressd",
            "instance": "here:10980",
            "receiver": "am",
            "site": socket.gethostname(),
            "sent_by": "egressd",
        }
    )
    now = datetime.now(UTC)
    assert datetime.fromisoformat(opened["endsAt"]) > now
    assert datetime.fromisoformat(ended["endsAt"]) <= now
    assert run("test", "am", notify=am.replace(dead, f"{web.url}/am2")).returncode == 0


def test_a_failure_says_what_to_check_and_no_secret(run: Run, web: Web, tmp_path: Path) -> None:
    """A failure has no secret, also where the server repeats it; the other receivers are tried too."""
    secret(tmp_path, "url", f"{web.url}/bad/hunter2hunter2?sig=hunter2sig")
    secret(tmp_path, "password", "hunter2")
    done = run(
        "test",
        "chat",
        "hook",
        notify=f"""
  receivers:
    - {{name: chat, type: slack, url_file: url}}
    - {{name: silent, type: webhook, url: "{web.url}/never"}}
    - {{name: hook, type: webhook, url: "{web.url}/bad", username: u, password_file: password}}
""",
    )
    assert done.returncode == 1
    chat, check, hook, check_too = done.stdout.splitlines()
    assert chat.startswith("chat: failed: ")
    assert "403" in chat
    assert check == (
        "  check the URL in url_file, and that this host may go there directly (proxy:, ca_file:)"
    )
    assert hook.startswith("hook: failed: ")
    assert "the credentials" in check_too
    assert "hunter2" not in done.stdout + done.stderr
    assert web.to("/never") == []


TWO = "{receivers: [{name: a, type: journald}, {name: b, type: syslog}]}"


@pytest.mark.parametrize(
    ("words", "notify", "message"),
    [
        (("test", "c"), TWO, "no receiver is called 'c'; there are a, b"),
        (("test",), TWO, "name the receivers to test, or give --all; there are a, b"),
        (("test", "a", "--all"), TWO, "name the receivers to test, or give --all; there are a, b"),
        (
            ("test", "a"),
            "{}",
            "no receivers are configured: add some under notify.receivers; docs/alerts.md ",
        ),
    ],
)
def test_wrong_usage_names_what_there_is(run: Run, words: tuple[str, ...], notify: str, message: str) -> None:
    """Wrong usage is exit code 2 and one line with the known receivers."""
    done = run(*words, notify=notify)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"egressd: {message}")


ALL = "routes[1]: every alert that gets this far"
URGENT = "routes[0]: severity critical or warning, reason tls_*"
LISTED = [
    f"am alertmanager http://am-1:9093, http://am-2:9093 {URGENT}; {ALL}",
    f"chat slack https://hooks.example/... by proxy http://proxy:3128 {ALL}",
    f"noc email c@d.example by mail:25 {URGENT}",
    f"far syslog udp:10.0.0.5:514 {ALL}",
    "j journald the journal of this host nothing: no route leads to it",
    "deadman heartbeat https://dead.example/... every completed sweep",
]


def test_receivers_are_listed_without_secrets(run: Run, tmp_path: Path) -> None:
    """The list has name, type, address and route of each receiver; of a URL only the origin."""
    secret(tmp_path, "url", "https://hooks.example/hunter2hunter2")
    done = run(
        "list",
        notify="""
  receivers:
    - {name: am, type: alertmanager, urls: ["http://am-1:9093", "http://am-2:9093"]}
    - {name: chat, type: slack, url_file: url, proxy: {url: "http://proxy:3128"}}
    - {name: noc, type: email, server: "mail:25", from: a@b.example, to: c@d.example}
    - {name: far, type: syslog, address: "udp://10.0.0.5"}
    - {name: j, type: journald}
    - {name: deadman, type: heartbeat, url: "https://dead.example/uuid"}
  routes:
    - {match: {severity: [critical, warning], reason: "tls_*"}, receivers: [noc, am], continue: true}
    - {receivers: [am, chat, far]}
""",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == LISTED
    done = run("list")
    assert done.returncode == 0
    assert done.stdout.startswith("no receivers are configured: ")


def test_the_log_hides_secrets_of_receivers_and_proxies(tmp_path: Path) -> None:
    """The log redacts the secrets of every part of the configuration."""
    path = tmp_path / "egressd.yml"
    secret(tmp_path, "one", "hunter-one")
    secret(tmp_path, "two", "hunter-two")
    secret(tmp_path, "url", "https://hooks.example/hunter-three")
    path.write_text(
        "proxy: {url: 'http://p:1', username: u, password_file: one}\n"
        "notify: {receivers: [{name: a, type: slack, url_file: url, "
        "proxy: {url: 'http://q:1', username: u, password_file: two}}]}\n",
        encoding="utf-8",
    )
    found = settings_secrets(load_settings(path, Flags()))
    assert {"hunter-one", "hunter-two", "https://hooks.example/hunter-three", "/hunter-three"} <= set(found)
    assert settings_secrets(load_settings(None, Flags())) == ()


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("{}", socket.gethostname()),
        ("site: oslo-1", "oslo-1"),
        ("alerts: {labels: {site: bergen-2}}", "bergen-2"),
        ("{site: oslo-1, alerts: {labels: {site: oslo-1}}}", "oslo-1"),
    ],
)
def test_alerts_have_the_site_of_the_host(tmp_path: Path, text: str, site: str) -> None:
    """The site is a key, else a label of alerts, else the host's name; all alerts have it as a label."""
    path = tmp_path / "egressd.yml"
    path.write_text(text, encoding="utf-8")
    named = with_host_names(load_settings(path, Flags()))
    assert (named.site, dict(named.alerting.labels)["site"]) == (site, site)
    flagged = with_host_names(load_settings(path, Flags(site="tromso-3")))
    assert (flagged.site, dict(flagged.alerting.labels)["site"]) == ("tromso-3", "tromso-3")


def test_an_instance_is_named_as_prometheus_would(tmp_path: Path) -> None:
    """Without `alerts.instance` it is host name and web port, and not part of the digest."""
    path = tmp_path / "egressd.yml"
    path.write_text("web: {listen: '[::1]:1234'}", encoding="utf-8")
    before = load_settings(path, Flags())
    named = with_host_names(before)
    assert named.alerting.instance == f"{socket.gethostname()}:1234"
    assert named.digest == before.digest
    path.write_text("alerts: {instance: 'a:1'}", encoding="utf-8")
    assert with_host_names(load_settings(path, Flags())).alerting.instance == "a:1"
