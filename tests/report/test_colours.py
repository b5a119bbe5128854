"""Coloured text of the HTML pages is legible in light and dark schemes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

PAGES = (("egressd.report.ticket", "report.html"),)
WHITE, DARK = "#ffffff", "#1e1e1e"
"""The lightest of the backgrounds that browsers take for a dark page."""


def styles(page: tuple[str, str]) -> str:
    package, name = page
    return files(package).joinpath(name).read_text(encoding="utf-8").partition("</style>")[0]


def light(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 counts it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page[1])
def test_every_colour_of_text_can_be_read(page: tuple[str, str]) -> None:
    """The contrast is at least 4.5 to 1 in the light and the dark scheme; no rule sets another colour."""
    text = styles(page)
    sets = re.findall(r"(?:--[a-z]+: #[0-9a-f]{6}; ){2,}", text)
    assert len(sets) == 2
    for background, colours in zip((WHITE, DARK), sets, strict=True):
        found = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", colours))
        assert set(found) == {"bad", "unsure", "good", "info"}
        assert {name for name, one in found.items() if contrast(one, background) < 4.5} == set()
    assert re.findall(r"[^-]color: (?!var)[^;]+", text.replace("color-scheme", "")) == []


def test_contrast_is_computed_as_specified() -> None:
    """Black on white is 21 to 1; a light grey fails."""
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
    assert contrast("#999999", "#ffffff") < 4.5
