"""Secrets that peers send back, in every spelling at once, are in no output."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
import structlog
import yaml
from typer.testing import CliRunner

from egressd.cli.app import app
from egressd.cli.log import Form, Level, configure_logging, without_secrets
from egressd.cli.log import configure as log_module
from tests.test_redaction import SPELLINGS

CANARY = "Tr0ub4dor&3/öl=+x"


def echo_of(secret: str) -> str:
    """Return a secret in every spelling that fits on a line."""
    lines = (f"{name}: {spell(secret)}" for name, spell in SPELLINGS.items())
    return " ".join("; ".join(lines).split())


def assert_no_canary(text: str, *also: str) -> None:
    """Fail if any spelling of the canary stands in a text."""
    for secret in (CANARY, *also):
        shown = [name for name, spell in SPELLINGS.items() if spell(secret).strip("'\"b[]{} ") in text]
        assert shown == [], text


@contextmanager
def echoing_server(status: str) -> Iterator[int]:
    """Serve an answer that repeats the canary in status, headers and body; give its port."""
    echo = echo_of(CANARY)
    page = f"<html><title>{echo[:300]}</title><body>{echo}</body></html>".encode()
    head = f"HTTP/1.1 {status} {echo[:200]}\r\nServer: {echo[:500]}\r\nLocation: http://x.example/{echo[:300]}\r\n"
    answer = f"{head}Content-Length: {len(page)}\r\nConnection: close\r\n\r\n".encode() + page

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with server.accept()[0] as one:
                    one.settimeout(5)
                    with suppress(OSError):
                        one.recv(65536)
                        one.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "-m", "egressd", *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_proxy_that_repeats_its_password(tmp_path: Path) -> None:
    """The password of a proxy is in no report and no log, whatever the proxy makes of it."""
    (tmp_path / "password").write_text(CANARY, encoding="utf-8")
    row = {"id": "own", "host": "own.example", "port": 443, "protocol": "https"}
    plain = {"id": "plain", "host": "own.example", "port": 80, "protocol": "http"}
    with echoing_server("407") as port:
        proxy = {"url": f"http://127.0.0.1:{port}", "username": "joe", "password_file": "password"}
        config = tmp_path / "egressd.yml"
        document = {"profiles": [], "endpoints": [row, plain], "proxy": proxy, "resolvers": ["127.0.0.1"]}
        document |= {"probe": {"families": ["ipv4"], "dns_timeout": "1s"}}
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        report = tmp_path / "report.json"
        words = ("--once", "--config.file", str(config), "--format", "json", "--output", str(report))
        done = run(*words, "--log.level", "debug")
    assert done.returncode == 1, done.stderr
    text = report.read_text(encoding="utf-8")
    assert "***" in text
    assert_no_canary(text, f"joe:{CANARY}")
    assert_no_canary(json.dumps(json.loads(text), ensure_ascii=False), f"joe:{CANARY}")
    assert_no_canary(done.stderr)
    for fmt in ("table", "markdown", "html", "csv", "junit"):
        shown = CliRunner().invoke(app, ["replay", str(report), "--format", fmt])
        assert_no_canary(shown.output, f"joe:{CANARY}")


def test_receivers_that_repeat_their_secrets(tmp_path: Path) -> None:
    """A token, a password and a secret URL are in no answer that is shown."""
    token = "xoxb-0123456789abcdef-canary"
    (tmp_path / "password").write_text(CANARY, encoding="utf-8")
    (tmp_path / "token").write_text(token, encoding="utf-8")
    with echoing_server("500") as port:
        (tmp_path / "url").write_text(
            f"http://127.0.0.1:{port}/services/{token}/hook?sig={token}", encoding="utf-8"
        )
        receivers = [
            {"name": "a", "type": "webhook", "url": f"http://127.0.0.1:{port}/x"},
            {"name": "b", "type": "webhook", "url": f"http://127.0.0.1:{port}/x"},
            {"name": "c", "type": "webhook", "url_file": "url"},
        ]
        receivers[0] |= {"username": "joe", "password_file": "password"}
        receivers[1] |= {"bearer_token_file": "token"}
        config = tmp_path / "egressd.yml"
        config.write_text(yaml.safe_dump({"notify": {"receivers": receivers}}), encoding="utf-8")
        done = run("notify", "test", "--all", "--config.file", str(config))
        listed = run("notify", "list", "--config.file", str(config))
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(": failed: ") == 3
    for one in (done, listed):
        assert_no_canary(one.stdout + one.stderr, token)


@pytest.mark.parametrize("form", list(Form))
def test_tracebacks_that_repeat_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    """An exception, its cause, and values of an event show no secret, in any form of the log."""
    monkeypatch.setattr(log_module, "_secrets", set())
    configure_logging(Level.WARN, form, secrets=(CANARY,))
    echo = echo_of(CANARY)
    try:
        try:
            raise ValueError(echo)
        except ValueError as cause:
            raise RuntimeError(f"because of {echo}") from cause
    except RuntimeError as error:
        structlog.get_logger("t").error(f"broke: {echo}", said=[echo, {"k": echo.encode()}], exc_info=error)
    finally:
        structlog.reset_defaults()
    shown = capsys.readouterr().err
    assert "RuntimeError: because of " in shown
    assert_no_canary(shown)
    assert without_secrets(f"x {CANARY} y") == "x *** y"
