"""The pages of the reason codes: one for each phase, an index, and the page of blame words."""

from __future__ import annotations

import re

from egressd.attribution.reasons import CHAPTERS, REASONS
from egressd.model.verdict import Blame
from scripts.pages.blame import render_blame_page
from scripts.pages.reason_codes import PHASE_PAGES, page_of, reason_pages, render_reason_index

PROOFS = {"tls_sni_reset": ("namespaces: `some_row`",)}
PAGES = {path: make() for path, make in reason_pages(PROOFS).items()}
PHASES = {path: text for path, text in PAGES.items() if path.startswith("docs/reasons/")}


def test_every_code_has_one_heading_on_one_page() -> None:
    """Each code stands on the page of its phase, and the contents of that page lead to it."""
    headings = [one for text in PHASES.values() for one in re.findall(r"^### (.+)$", text, re.MULTILINE)]
    assert sorted(headings) == sorted(REASONS)
    for text in PHASES.values():
        own = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert re.findall(r"^- \[`\w+`\]\(#([a-z0-9_]+)\)", text, re.MULTILINE) == own


def test_every_chapter_has_a_page_and_every_page_a_chapter() -> None:
    """A new phase needs a page of its own: nothing falls onto another's."""
    assert {page_of(one) for one in CHAPTERS} == set(PHASE_PAGES)
    assert [one for one in CHAPTERS if page_of(one) == "tls"] == [one for one in CHAPTERS if "TLS" in one]


def test_old_links_lead_to_a_row_of_the_index() -> None:
    """The page that had all codes keeps an anchor for each, beside the link to where the text is now."""
    rows = re.findall(
        r'^\| <a id="(\w+)"></a>\[`(\w+)`\]\(reasons/(\w+)\.md#(\w+)\)', render_reason_index(), re.MULTILINE
    )
    assert [one[0] for one in rows] == list(REASONS)
    for anchor, shown, page, target in rows:
        assert anchor == shown == target
        assert f"\n### {target}\n" in PHASES[f"docs/reasons/{page}.md"]


def test_the_pages_show_no_bare_placeholder_or_markup() -> None:
    """No unfilled template, and no angle bracket that Markdown would drop as HTML, outside of code."""
    for text in PHASES.values():
        page = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
        prose = re.sub(r"```sh\n.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
        assert [line for line in prose.splitlines() if re.search(r"[{}<>]", line)] == []


def test_the_pages_name_proofs_or_say_why_not() -> None:
    """Each code names the tests that show it; one without leads to the page that says why."""
    proven = [
        one for text in PHASES.values() for one in re.findall(r"^\*Proven by:\* (.+)$", text, re.MULTILINE)
    ]
    assert len(proven) == len(REASONS)
    assert set(proven) == {
        "namespaces: `some_row`",
        "no test on a network: see [unproven.md](../unproven.md)",
    }


def test_every_blame_word_is_explained() -> None:
    """The page has a row for each value, and a paragraph that says what is asked of its team."""
    text = render_blame_page()
    assert sorted(re.findall(r"^\| `(\w+)` \| (?!who)", text, re.MULTILINE)) == sorted(Blame)
    assert sorted(re.findall(r"^- `(\w+)`: ", text, re.MULTILINE)) == sorted(Blame)
