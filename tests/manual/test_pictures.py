"""The pictures of the manual are whole SVG, small, safe in a page, and show what the reports say today."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest

from scripts.pages.pictures import draw_page, draw_terminal, pictures, replay

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("path", sorted(pictures()))


@cache
def drawn(path: str) -> str:
    """Draw a picture, once."""
    return pictures()[path]()


def words(picture: str) -> str:
    """Return the text of a picture on one line."""
    return " ".join(" ".join(ET.fromstring(picture).itertext()).split())


@EACH
def test_a_picture_is_whole_small_and_asks_for_nothing(path: str) -> None:
    """It is well-formed, below 200 KB, without scripts, and loads nothing from elsewhere."""
    picture = drawn(path)
    root = ET.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(picture.encode()) < 200_000
    assert [one for one in root.iter() if re.search("script|image|link|iframe", str(one.tag))] == []
    names = [name for one in root.iter() for name in one.attrib if name.startswith("on") or "href" in name]
    assert names == []
    assert not re.search(r"url\(|@import|@font-face", picture)


@EACH
def test_a_picture_is_shown_in_the_readme(path: str) -> None:
    """Each has its place, with words for those who don't see it."""
    shown = re.findall(r"!\[([^\]]{20,})\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert path in {file for _, file in shown}


def test_the_report_is_in_the_picture_whole() -> None:
    """Every word of today's table stands in the picture, and both sources do."""
    text = replay("--color", "never", "--format", "table")
    assert words(drawn("docs/pictures/report.svg")).endswith(" ".join(text.split()))
    assert "10.20.0.11" in text
    assert "10.20.0.12" in text


def test_the_ticket_has_what_its_team_needs() -> None:
    """The picture has the ask, the pattern, and both sources."""
    text = words(drawn("docs/pictures/ticket.svg"))
    assert "*.his.arc.azure.com" in text
    assert "10.20.0.11, 10.20.0.12" in text


def test_hostile_text_stays_text() -> None:
    """Markup in a report opens no element in a picture, and what HTML lets open is closed."""
    shown = draw_terminal("\x1b[1ma <b>&\x1b[0m </text><script>x</script>\n")
    assert words(shown).endswith("a <b>& </text><script>x</script>")
    page = "<style>p{color:red}</style><body><p title='\"<'>a &lt;b&gt;<br><ul><li>one<li>two</ul></body>"
    assert words(draw_page(page, width=9, height=9)).endswith("a <b> one two")
    with pytest.raises(ValueError, match="no script in its body"):
        draw_page("<body><script>x</script></body>", width=9, height=9)


def test_the_status_page_is_drawn_with_its_cards() -> None:
    """The picture has the headline, who is asked, and the rules, and no way out of it."""
    text = words(drawn("docs/pictures/status.svg"))
    assert "critical alerts open" in text
    assert "exempt 443/TCP" in text
    assert "10.20.0.11, 10.20.0.12" in text
    assert "@media" not in text


def test_what_is_for_other_media_is_left_out_whole() -> None:
    """A block within a block ends with its own brace; the rule behind it stays."""
    page = "<style>a{b:c}@media print{d{e:f}g{h:i}}j{k:l}</style><body>x</body>"
    assert words(draw_page(page, width=9, height=9)) == "a{b:c}j{k:l}.wide{overflow:hidden} x"
