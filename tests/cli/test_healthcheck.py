"""`egressd healthcheck`: 0 only if the daemon itself answers that it is healthy."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import pytest
import trustme
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from egressd.cli.service import fetch


class Pages(BaseHTTPRequestHandler):
    """Pages that are healthy, unhealthy, redirected, or behind a login."""

    answers: ClassVar[dict[str, int]] = {
        "/-/healthy": 200,
        "/-/ready": 503,
        "/elsewhere": 302,
        "/closed": 401,
        "/gone": 404,
    }

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(b"probe:Tr0ub4dor").decode()
        code = 200 if self.headers.get("Authorization") == expected else self.answers[self.path]
        self.send_response(code)
        self.send_header("Location", "/-/healthy")
        self.end_headers()
        self.wfile.write({200: b"egressd is healthy\n", 404: b"404: Not Found\n"}.get(code, b"so it is\n"))

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """Return the address of a server with those pages."""
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def check(*words: str, environment: dict[str, str] | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["healthcheck", *words], env=environment)


def test_healthy(site: str) -> None:
    """A page that answers 200 is exit code 0, and its text is shown."""
    ended = check("--url", f"{site}/-/healthy")
    assert (ended.exit_code, ended.stdout) == (0, "egressd is healthy\n")


@pytest.mark.parametrize(("page", "code"), [("/-/ready", 503), ("/elsewhere", 302), ("/closed", 401)])
def test_unhealthy(site: str, page: str, code: int) -> None:
    """Every other answer is exit code 1, a redirect to a healthy page included."""
    ended = check("--url", site + page)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"answers {code}: so it is" in ended.stderr


def test_the_status_is_shown_once(site: str) -> None:
    """The status is shown once, though error pages repeat it."""
    ended = check("--url", f"{site}/gone")
    assert ended.stderr == f"egressd: {site}/gone answers 404: Not Found\n"


def test_connection_refused() -> None:
    """A port without a listener is exit code 1."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        ended = check("--url", f"http://127.0.0.1:{one.getsockname()[1]}/-/healthy")
    assert ended.exit_code == 1
    assert ended.stderr.endswith("/-/healthy does not answer: Connection refused\n")


def test_not_http() -> None:
    """A server of another protocol is exit code 1, not a bug."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as one:
                one.sendall(b"220 mail.corp.example ESMTP\r\n")

        thread = Thread(target=serve)
        thread.start()
        ended = check("--url", f"http://127.0.0.1:{server.getsockname()[1]}/-/healthy")
        thread.join()
    assert ended.exit_code == 1
    assert "does not answer" in ended.stderr


def answer_with(*parts: bytes, repeat: bytes = b"", pause: float = 0.0) -> Result:
    """Check a server that sends these bytes to whoever connects, and then `repeat` for ever."""
    done = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as one, suppress(OSError):
                one.recv(65536)
                for part in parts:
                    one.sendall(part)
                while repeat and not done.wait(pause):
                    one.sendall(repeat)

        thread = Thread(target=serve)
        thread.start()
        ended = check("--url", f"http://127.0.0.1:{server.getsockname()[1]}/-/healthy")
        done.set()
        thread.join()
    return ended


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK\n",
        b"Prometheus Server is Healthy.\n",
        b"<html><title>Access denied</title>egressd is healthy\n</html>",
        b"egressd is healthy\nand more\n",
        b"\xff\xfe",
    ],
)
def test_another_program_is_not_egressd(body: bytes) -> None:
    """A page of any other server is exit code 1, whatever its status and its words."""
    ended = answer_with(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "answers 200, but it is not egressd: " in ended.stderr


@pytest.mark.parametrize("status", [b"200 OK", b"503 Service Unavailable"])
@pytest.mark.parametrize(
    "text", ["\x1b]0;owned\x07", "\x1b[2J", "\x1b]52;c;aGk=\x07", "\x9b31m", "a\rb", "\u202ex", "\u200b\x00"]
)
def test_no_peer_writes_to_the_terminal(status: bytes, text: str) -> None:
    """Escapes, control characters and changes of direction never reach the terminal."""
    ended = answer_with(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n", f"so {text} it".encode())
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.rstrip("\n").isprintable()
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("begin", "repeat", "pause"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"", 0.0),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.02),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.0),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096, 0.0),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x", 0.02),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096, 0.0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.02),
        (b"\0" * 1000, b"\0", 0.0),
    ],
)
def test_a_peer_that_never_ends_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begin: bytes, repeat: bytes, pause: float
) -> None:
    """A peer that is silent, drips, floods or never ends its headers is exit code 1 within the limit."""
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    ended = answer_with(begin, repeat=repeat, pause=pause)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1


def test_the_proxy_of_the_environment_is_not_used(site: str) -> None:
    """The environment's proxy is ignored, since it could answer for a dead daemon."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{one.getsockname()[1]}/-/healthy"
        ended = check("--url", dead, environment={"http_proxy": f"{site}/-/healthy"})
    assert ended.exit_code == 1


def test_logs_in(site: str, tmp_path: Path) -> None:
    """With a user and a password file a page behind a login is healthy."""
    secret = tmp_path / "password"
    secret.write_text("Tr0ub4dor\n", encoding="ascii")
    ended = check("--url", f"{site}/closed", "--username", "probe", "--password.file", str(secret))
    assert ended.exit_code == 0


def test_options_come_from_the_environment(site: str, tmp_path: Path) -> None:
    """Each option has an environment variable, because the health command of an image is fixed."""
    secret = tmp_path / "password"
    secret.write_text("Tr0ub4dor\n", encoding="ascii")
    asking = {"EGRESSD_HEALTHCHECK_URL": f"{site}/closed"}
    login = {
        "EGRESSD_HEALTHCHECK_USERNAME": "probe",
        "EGRESSD_HEALTHCHECK_PASSWORD_FILE": str(secret),
    }
    assert check(environment=asking).exit_code == 1
    assert check(environment=asking | login).exit_code == 0


def test_trusts_the_roots_it_is_given(tmp_path: Path) -> None:
    """A daemon with TLS passes with its own authority's root, and with no other."""
    mine, other = trustme.CA(), trustme.CA()
    mine.cert_pem.write_to_path(tmp_path / "mine.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mine.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}/-/healthy"
        ended = {
            name: check("--url", url, "--ca.file", str(tmp_path / name)) for name in ("other.pem", "mine.pem")
        }
        server.shutdown()
        thread.join()
    assert (ended["mine.pem"].exit_code, ended["mine.pem"].stdout) == (0, "egressd is healthy\n")
    assert ended["other.pem"].exit_code == 1
    assert "certificate verify failed" in ended["other.pem"].stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--url", "127.0.0.1:10980"),
        ("--url", "file:///etc/passwd"),
        ("--url", "http://[::1"),
        ("--url", "http://127.0.0.1:port/"),
        ("--url", "http://probe:Tr0ub4dor@127.0.0.1/"),
        ("--username", "probe"),
        ("--username", "probe", "--password.file", "/nonexistent"),
        ("--ca.file", "/nonexistent"),
        ("--ca.file", __file__),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    """An invalid URL is exit code 2, and no password is shown."""
    ended = check(*words)
    assert ended.exit_code == 2
    assert "Tr0ub4dor" not in ended.output
