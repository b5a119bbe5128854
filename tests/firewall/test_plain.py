"""The plain list has a host, a pattern or a placeholder in each line, and comments; nothing else."""

from __future__ import annotations

import pytest

from tests.firewall.made import HOSTILE, made, written


def lines(text: str) -> list[str]:
    """Return what is neither a comment nor empty."""
    return [line for line in text.split("\n") if line and not line.startswith("#")]


@pytest.mark.parametrize("name", [one for one in HOSTILE if one not in ("*", "*.*.example")])
def test_a_name_that_is_none_is_a_comment(name: str) -> None:
    """What a report or a configuration has in the place of a host can't add a host."""
    text = written("list", made(name), made("good.example"))
    assert lines(text) == ["good.example"]
    assert "Left out" in text
    assert text.isascii()


def test_words_from_outside_begin_no_line() -> None:
    """Sources and proxies stand in comments, whatever they hold."""
    assert lines(written("list", made("a.example", sources=["10.20.0.11\nevil.example"]))) == ["a.example"]


def test_placeholders_are_lines() -> None:
    """A value that is not known yet is shown where its host will be."""
    names = [
        "<your DNS servers>",
        "<region>.login.example",
        "san-af-<region>-prod.example",
        "*.x.example",
    ]
    assert lines(written("list", *(made(name) for name in names))) == names
