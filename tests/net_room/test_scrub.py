"""Hostile text can't reach a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from egressd.model.observation import Failure
from egressd.net.scrub import redact, scrub, scrub_bytes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("\x1b]0;title\x07rest", "rest"),
        ("line\r\nnext\tcell", "line next cell"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("nul\x00\x7f", "nul"),
        ("Grüße", "Grüße"),
    ],
)
def test_scrubbed_text(text: str, shown: str) -> None:
    """Escape sequences are removed; control and direction characters become a space."""
    assert shown == scrub(text, 80)


@given(st.text(), st.integers(1, 40))
def test_always_printable_and_bounded(text: str, limit: int) -> None:
    """No result is unprintable or too long."""
    shown = scrub(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


@given(st.binary(max_size=300))
def test_bytes_never_raise(data: bytes) -> None:
    """Bytes that are no text give their printable part."""
    assert scrub_bytes(data, 50).isprintable()


@given(st.text(alphabet="ab", min_size=4, max_size=8), st.text(alphabet="ab", max_size=30))
def test_redaction(secret: str, text: str) -> None:
    """A secret anywhere in a value, also as hex or with its end cut off, is replaced."""
    value = Shown(
        text=f"{text} {secret}", parts=((secret.encode().hex(), f"x {secret[:-1]}"),), kind=Failure.CLOSED
    )
    shown = redact(value, (secret,))
    assert secret not in shown.text
    assert shown.parts[0][0] == "***"
    assert not shown.parts[0][1].endswith(secret[:-1]) or len(secret) == 4
    assert (shown.kind, redact(value, ())) == (Failure.CLOSED, value)


class Shown(Struct, frozen=True):
    """A value with text in several places."""

    text: str
    parts: tuple[tuple[str, str], ...]
    kind: Failure
