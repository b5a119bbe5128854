"""Links within the manual lead somewhere: to a file that exists, and to a heading that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")])
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")


def without_code(text: str) -> str:
    """Return Markdown without its code: fences and spans may hold brackets."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a page: those of its headings, as GitHub makes them, and those it sets itself."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    shown = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one) for one in heads]
    made = (re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in shown)
    return frozenset([*made, *re.findall(r'<a id="([^"]+)">', text)])


def broken(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda one: str(one.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """No link to a file or heading that is not there."""
    assert list(broken(page)) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    """The test itself tells a good link from a bad file, a bad heading and code."""
    (tmp_path / "other.md").write_text("# A `word`: two\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#a-word-two) [c](gone.md) [d](other.md#gone) `[e](gone.md)` [f](https://x/)\n",
        encoding="utf-8",
    )
    assert list(broken(page)) == ["gone.md", "other.md#gone"]


def test_the_index_has_every_page() -> None:
    """Each page of the manual is linked from its index; pages of profiles and decisions from theirs."""
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / one.partition("#")[0]).resolve() for one in LINK.findall(index.read_text("utf-8"))
    }
    pages = {*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/reasons").glob("*.md")}
    pages |= set((ROOT / "docs/runbooks").glob("*.md"))
    assert pages - {index} - linked == set()
