"""The colours of the pages: text can be read on each of its grounds, in the light and in the dark scheme."""

from __future__ import annotations

import re

import pytest

from egressd.web.template import static_file
from tests.report.test_colours import contrast

STYLE = static_file("egressd.css").decode()
GROUNDS = ("page", "card", "code")
TEXTS = ("text", "dim", "link", "bad", "warn", "good", "info", "unsure")


def schemes() -> tuple[dict[str, str], dict[str, str]]:
    """The named colours of the light and of the dark scheme."""
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", part)) for part in STYLE.split("@media")[:2]
    )
    return light, dark


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_every_text_can_be_read(scheme: int, ground: str) -> None:
    """The contrast of each colour of text to each ground is at least 4.5 to 1."""
    colours = schemes()[scheme]
    low = {one: round(contrast(colours[one], colours[ground]), 2) for one in TEXTS}
    assert {one: found for one, found in low.items() if found < 4.5} == {}


def test_the_schemes_name_the_same_colours_and_no_rule_has_another() -> None:
    """Each colour has its other; rules name colours, so that none is forgotten in one of the schemes."""
    light, dark = schemes()
    assert light.keys() == dark.keys() >= {*GROUNDS, *TEXTS}
    rules = re.sub(r"--[a-z]+: [^;]+;", "", STYLE)
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []
    assert re.findall(r"(?:^|[^-])color: (?!var)[^;]+", rules.replace("color-scheme", "")) == []


def test_each_state_has_a_shape() -> None:
    """The marks of the states differ in their character, not in their colour alone."""
    shapes = dict(re.findall(r'^\.mark\.([a-z]+)::before \{ content: "([^"]+)"', STYLE, re.MULTILINE))
    assert set(shapes) == {"ok", "degraded", "unknown", "down", "blocked"}
    assert len(set(shapes.values())) == 5
