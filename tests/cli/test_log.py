"""Log lines: stream, format, and redaction of secrets."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from egressd.cli.log import Form, Level, configure_logging, flush_log, is_journal, register_secrets


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore logging after the test."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    structlog.reset_defaults()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def _fail(word: str) -> None:
    inside = word * 2  # a local variable no log may show
    raise ValueError(f"proxy said {word}{inside[:0]}")


@pytest.mark.parametrize("form", list(Form))
def test_a_traceback_hides_secrets_and_variables(capsys: pytest.CaptureFixture[str], form: Form) -> None:
    """In every format the traceback is on stderr, without the password and local variables."""
    configure_logging(Level.WARN, form, secrets=("hunter2",))
    try:
        _fail("hunter2")
    except ValueError as error:
        structlog.get_logger("t").error("it broke", host="http://u:hunter2@p", exc_info=error)
    out, err = capsys.readouterr()
    assert out == ""
    assert "ValueError: proxy said ***" in err
    assert "hunter2" not in err
    assert "inside =" not in err
    if form is Form.JSON:
        line = json.loads(err)
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert (line["event"], line["level"], line["host"]) == ("it broke", "error", "http://u:***@p")


@pytest.mark.parametrize(
    ("level", "lines"), [(Level.DEBUG, 3), (Level.INFO, 2), (Level.WARN, 1), (Level.ERROR, 0)]
)
def test_the_level_is_the_least_written(capsys: pytest.CaptureFixture[str], level: Level, lines: int) -> None:
    """Lines below the level are not written."""
    configure_logging(level, Form.LOGFMT)
    log = structlog.get_logger("t")
    log.debug("a")
    log.info("b")
    log.warning("c", n=1)
    err = capsys.readouterr().err
    assert err.count("\n") == lines
    assert lines == 0 or "level=warning event=c n=1" in err


def test_other_libraries_log_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of the standard library's logging has the same format, without secrets."""
    configure_logging(Level.WARN, Form.JSON, secrets=("hunter2",))
    logging.getLogger("asyncio").warning("lost %s", "hunter2")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("lost ***", "warning")


@pytest.mark.parametrize("form", list(Form))
def test_values_of_secret_keys_are_redacted(capsys: pytest.CaptureFixture[str], form: Form) -> None:
    """The value of a secret key is redacted, also in nested values, and so is a password in a URL."""
    configure_logging(Level.INFO, form)
    structlog.get_logger("t").info(
        "asked",
        headers={"Proxy-Authorization": "Basic c2VzYW1l", "Accept": "*/*"},
        rows=[{"api_key": "c2VzYW1l"}],
        password="c2VzYW1l",
        url="https://joe:c2VzYW1l@hooks.example/x",
    )
    err = capsys.readouterr().err
    assert "c2VzYW1l" not in err
    assert "*/*" in err
    assert "https://joe:***@hooks.example/x" in err


def test_a_secret_can_be_registered_later(capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets of a reload are redacted as well."""
    configure_logging(Level.INFO, Form.JSON)
    register_secrets(["swordfish", ""])
    structlog.get_logger("t").info("said", evidence=["proxy said swordfish"])
    assert json.loads(capsys.readouterr().err)["evidence"] == ["proxy said ***"]


def test_lines_for_the_journal_carry_a_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of a traceback starts with the same priority where stderr is the journal's stream."""
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        configure_logging(Level.INFO, Form.HUMAN)
        log = structlog.get_logger("t")
        log.info("fine")
        try:
            _fail("x")
        except ValueError:
            log.exception("broke")
        flush_log()
        stream.seek(0)
        lines = stream.read().splitlines()
    assert lines[0].startswith("<6>")
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines[1:])


@pytest.mark.parametrize("value", ["", "x:y", "1:2", "1"])
def test_another_stream_is_no_journal(value: str) -> None:
    """Only the stream that the variable names is the journal."""
    with Path(os.devnull).open(encoding="ascii") as stream:
        assert not is_journal(stream, {"JOURNAL_STREAM": value})
