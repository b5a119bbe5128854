"""Reason codes on a terminal and as a list."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from egressd.attribution.blame_text import blame_text
from egressd.attribution.reasons import CHAPTERS, REASONS, Reason
from egressd.attribution.rules.certainties import certainty_text
from egressd.model.verdict import Blame
from egressd.report.explain import (
    render_explanation,
    render_reason_list,
    suggest,
)

EVERY = pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS.keys())


def too_long(text: str, width: int = 80) -> list[str]:
    """Return the lines a terminal would break."""
    return [line for line in text.splitlines() if len(line) > width]


def commands(text: str) -> str:
    """Return the command lines of a check as one script."""
    kept = [line for line in text.splitlines() if line.startswith(("$ ", "  "))]
    return "\n".join(line.removeprefix("$ ") for line in kept)


@EVERY
def test_an_explanation_fits_a_terminal(reason: Reason) -> None:
    """No line exceeds 80 columns, and no command is wrapped."""
    assert too_long(render_explanation(reason)) == []


@EVERY
def test_an_explanation_has_all_texts(reason: Reason) -> None:
    """All texts of a reason are shown, wrapped ones included."""
    shown = " ".join(render_explanation(reason).split())
    suspects = [blame_text(one) for one in reason.suspects.parties]
    texts = (reason.code, reason.title, reason.meaning, reason.signal, reason.advise({}))
    for text in (*texts, *reason.evidence, *reason.needs, certainty_text(reason.code), *suspects):
        assert " ".join(text.split()) in shown


@EVERY
def test_the_commands_are_a_shell_script(reason: Reason) -> None:
    """Every command to copy parses in a shell."""
    shell = shutil.which("bash") or shutil.which("sh")
    assert shell, "a POSIX shell is part of every system this runs on"
    script = commands(reason.confirmation({}))
    done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_are_not_wrapped_in_a_narrow_window() -> None:
    """Prose is wrapped to the width; a command stays on its line, to be copied."""
    text = render_explanation(REASONS["tls_sni_reset"], width=50)
    assert "  $ openssl s_client -connect ADDRESS:PORT -servername SNI </dev/null" in text.splitlines()
    assert [line for line in too_long(text, 50) if "$ " not in line] == []


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("tls_sni_rset", "tls_sni_reset"),
        ("TLS-SNI-RESET", "tls_sni_reset"),
        (" proxy_denid ", "proxy_denied"),
        ("sinkhole", "dns_sinkhole_known"),
        ("captive", "http_captive_portal"),
    ],
)
def test_a_misspelt_code_is_suggested(asked: str, first: str) -> None:
    """Typing errors, other separators and a part of a code all lead to the code."""
    assert suggest(asked)[0] == first


@pytest.mark.parametrize("asked", ["", "  ", "zzz", "x" * 100_000, "ünïcödé", "_" * 3])
def test_no_suggestion_for_nonsense(asked: str) -> None:
    """Any input gives a bounded answer."""
    assert suggest(asked) == ()


def test_suggestions_are_few() -> None:
    """A prefix of dozens of codes gives five at most."""
    assert len(suggest("tls_alert")) == 5


def test_the_list_has_every_code_once_and_fits() -> None:
    """Every code stands at the start of exactly one line, below its chapter."""
    text = render_reason_list()
    listed = re.findall(r"^  ([a-z][a-z0-9_]+)", text, flags=re.MULTILINE)
    assert listed == list(REASONS)
    assert too_long(text) == []
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == list(CHAPTERS)


def test_every_blame_has_a_text() -> None:
    """No value of the model is shown as a bare identifier."""
    assert len({blame_text(blame) for blame in Blame}) == len(Blame)
