"""The manual that the daemon serves: reasons, runbooks and documents, and the links between them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from egressd.attribution.reasons import REASONS
from egressd.model.alert import AlertName
from egressd.model.verdict import Outcome
from egressd.web.manual import document
from egressd.web.manual.document import documents, listed_documents, runbook_place
from egressd.web.manual.markdown import markdown_to_html
from tests.metrics.snapshots import Row, make_snapshot, make_sweep
from tests.web.conftest import Running, Start

DOCS = Path(__file__).parents[2] / "docs"


class Links(HTMLParser):
    """The links and the anchors of a page, and what of it a strict policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [one for name in ("href", "src") if (one := given.get(name)) is not None]
        self.anchors |= {one for one in (given.get("id"),) if one}
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]


async def crawl(running: Running, start: str = "/") -> dict[str, Links]:
    """Follow every link to this server that leads to HTML, and note what is not there."""
    found: dict[str, Links] = {}
    waiting = [running.url(start)]
    while waiting:
        url = urldefrag(waiting.pop())[0].partition("?")[0]
        if url in found or not url.startswith(running.url("")):
            continue
        async with running.session.get(url) as answer:
            assert answer.status in (200, 503), url  # before the first sweep there is none to serve
            html = answer.content_type == "text/html"
            found[url] = Links(await answer.text() if html else "")
        waiting += [urljoin(url, link) for link in found[url].links]
    return found


async def test_every_link_leads_somewhere(start: Start) -> None:
    """From the status page on, each page and each anchor that a link names is served; no page has a script
    or a style inside."""
    running = await start(make_snapshot(make_sweep(Row(), Row(host="a.example", outcome=Outcome.BLOCKED))))
    pages = await crawl(running)
    places = {url.removeprefix(running.url("")) for url in pages}
    assert {f"/reasons/{code}" for code in REASONS} <= places
    assert {"/runbooks/targets.md", "/docs/web.md", "/rules/csv", "/static/status.js"} <= places
    missing = [
        (url, link)
        for url, page in pages.items()
        for link in page.links
        for place, anchor in [urldefrag(urljoin(url, link))]
        if "?" not in link and anchor and place in pages and unquote(anchor) not in pages[place].anchors
    ]
    assert missing == []
    assert {url: page.inline for url, page in pages.items() if page.inline} == {}


async def test_a_reason_says_what_explain_says(start: Start) -> None:
    """A reason's page has its meaning, what to ask for, whom to call, and commands without their prompts."""
    running = await start()
    status, page = await running.get("/reasons/tls_sni_reset")
    assert status == 200
    for phrase in (
        "The ClientHello is reset",
        "an L7 firewall",
        "call",
        "openssl s_client",
        "through a proxy",
    ):
        assert phrase in page, phrase
    assert "<pre><code>openssl" in page
    assert (await running.get("/reasons/service_reachable_http_404"))[0] == 200
    for unknown in ("nonsense", "tls_sni_reset/x", "..%2f..%2fetc%2fpasswd"):
        assert (await running.get(f"/reasons/{unknown}"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/docs/nothing.md",
        "/docs/../pyproject.toml",
        "/docs/%2e%2e/README.md",
        "/docs//etc/passwd",
        "/docs/runbooks/targets.md",
        "/runbooks/..%2Fweb.md",
        "/runbooks/",
        "/static/status.html",
        "/static/..%2Fapp.py",
        "/static/%00",
    ],
)
async def test_only_listed_files_are_served(start: Start, path: str) -> None:
    """No path leads out of what is listed, and each document has one place."""
    running = await start()
    async with running.session.get(running.url("") + path) as answer:
        assert answer.status == 404


async def test_every_alert_has_its_runbook(start: Start) -> None:
    """The runbook of each alert is served where its link leads, with its heading."""
    running = await start()
    for name in AlertName:
        place, _, anchor = runbook_place(name).partition("#")
        status, page = await running.get(f"/{place}")
        assert status == 200
        if name is not AlertName.TEST:
            assert f'id="{anchor}"' in page


def test_markdown_becomes_what_the_forge_shows() -> None:
    """Headings get their anchors, comments go, HTML is text, and links lead to where they are served."""
    text = "<!-- generated\nby a script -->\n# The `x_y` code\n\n## Twice\n\n## Twice\n\n<b>no</b>\n\n"
    text += "[to](a.md#b) [away](../setup.py) [out](https://example.com/) [js](javascript:alert(1))\n\n"
    text += "| a | b |\n| --- | --- |\n| 1 | <i> |\n"
    found = markdown_to_html(text, {"a.md#b": "../a#b", "https://example.com/": "https://example.com/"}.get)
    assert found.title == "The x_y code"
    assert found.anchors == ("the-x_y-code", "twice", "twice-1")
    assert "generated" not in found.html
    assert "&lt;b&gt;no" in found.html
    assert re.findall(r'href="([^"]*)"', found.html) == ["../a#b", "https://example.com/"]
    assert '<th scope="col">a</th>' in found.html
    assert "javascript:" not in re.sub(r"\[js\].*", "", found.html)


def test_every_document_is_listed() -> None:
    """All Markdown of `docs` is served, but for what the pages of the reasons stand for."""
    there = {str(one.relative_to(DOCS)) for one in DOCS.rglob("*.md")}
    served = set(documents())
    assert {one for one in there - served if not one.startswith(document.REASON_PAGES)} == set()
    listed = [one.place for some in listed_documents().values() for one in some]
    assert len(listed) == len(served)
    assert next(iter(listed_documents())) == "Runbooks"
