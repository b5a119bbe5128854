"""The log of events: programs read each event, people one line for each cause."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from egressd.cli.log import Form, Level, configure_logging
from egressd.daemon.event_log import EventLog
from tests.daemon.simulation import make_simulation
from tests.report.test_history_compact import bad, closed, good, opened

HOSTS = [f"h{number}.example" for number in range(41)]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore logging after the test."""
    yield
    structlog.reset_defaults()


def logged(form: Form, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Log a cause of 41 targets that comes and goes; return the lines."""
    configure_logging(Level.INFO, form)
    log = EventLog(make_simulation().holder)
    log((*(bad(one, 0) for one in HOSTS), opened(*HOSTS, seconds=0)))
    log((*(good(one, 300) for one in HOSTS), closed(300)))
    return capsys.readouterr().err.splitlines()


def test_people_read_one_line_for_each_cause(capsys: pytest.CaptureFixture[str]) -> None:
    """41 targets that one cause takes down are one line, and one when it ends."""
    began, ended = logged(Form.HUMAN, capsys)
    assert "!  CAUSE     41 targets: site_rule_missing, firewall_l7 (medium): A rule is missing: h0" in began
    assert "and 38 more" in began
    assert "OVER      41 targets ok again after 5 min: site_rule_missing" in ended


@pytest.mark.parametrize("form", [Form.JSON, Form.LOGFMT])
def test_programs_read_each_event(capsys: pytest.CaptureFixture[str], form: Form) -> None:
    """Every event is a line of its own, and nothing is said twice."""
    lines = logged(form, capsys)
    assert len(lines) == 2 * (len(HOSTS) + 1)
    if form is Form.JSON:
        events = [json.loads(one)["event"] for one in lines]
        assert events.count("target changed") == 2 * len(HOSTS)
        assert "audience" not in lines[0]


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    "text", ["\x1b]0;x\x07", "\x1b[2J", "\x9b31m", "a\rb", "\u202ex", "a\nlevel=error event=forged"]
)
def test_text_of_others_is_no_terminal_s_business(
    capsys: pytest.CaptureFixture[str], form: Form, text: str
) -> None:
    """No value of an event writes escapes, or a line of its own, in any form of the log."""
    configure_logging(Level.INFO, form)
    structlog.get_logger("t").warning(f"said {text}", peer=text, several=[text], nested={text: text})
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()
