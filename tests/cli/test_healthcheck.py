"""`egressd healthcheck`: 0 only if the daemon itself answers that it is healthy."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import trustme
from typer.testing import CliRunner, Result

from egressd.cli.app import app


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
        self.wfile.write(b"404: Not Found\n" if code == 404 else b"so it is\n")

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
    assert (ended.exit_code, ended.stdout) == (0, "so it is\n")


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
    assert (ended["mine.pem"].exit_code, ended["mine.pem"].stdout) == (0, "so it is\n")
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
