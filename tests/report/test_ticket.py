"""Markdown, HTML and JUnit reports: complete, and free of markup from the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from egressd.model.endpoint import Need
from egressd.model.plan import Unsampled
from egressd.model.verdict import Outcome, Sweep
from egressd.report.ticket.html import render_html
from egressd.report.ticket.junit import render_junit
from egressd.report.ticket.markdown import inline, render_markdown
from egressd.report.ticket.scope import TicketScope

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., object]

HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "http://evil.example/ www.evil.example https://evil.example",
    "a | b \\| c",
    "``` ```` `",
    "` `` a``b",
    "\x1b[31mred\x1b[0m\x00\x07\x9b",
    "</pre></textarea>--><!--",
    "&lt;b&gt; ]]> <![CDATA[",
    "\u202eevil\u2066 \ufffe \ud800",
    "@everyone #1 ~~x~~ **b** _u_ $x$ <b>",
    "a\r\n# heading\n\n| x |\n- item\n```",
)
DANGEROUS = {"link_open", "image", "html_inline", "html_block", "strong_open", "em_open", "s_open"}


def _hostile(sweep_of: SweepOf, row: RowOf, text: str) -> Sweep:
    bad = row(host="a.example", outcome=Outcome.BLOCKED, evidence=(text, text), advice=text, reason="x")
    unsampled = (Unsampled(endpoint="e", pattern="*.x", need=Need.REQUIRED, why=text),)
    return sweep_of(row(), bad, unsampled=unsampled)


@pytest.fixture
def mixed(sweep_of: SweepOf, row: RowOf) -> Sweep:
    """Every need and outcome that a CI server distinguishes."""
    return sweep_of(
        row(host="good.example"),
        row(host="blocked.example", outcome=Outcome.BLOCKED),
        row(host="down.example", outcome=Outcome.DOWN),
        row(host="unknown.example", outcome=Outcome.UNKNOWN),
        row(host="slow.example", outcome=Outcome.DEGRADED),
        row(host="maybe.example", outcome=Outcome.BLOCKED, need=Need.OPTIONAL),
        row(host="perhaps.example", outcome=Outcome.UNKNOWN, need=Need.CONDITIONAL),
    )


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_reports_have_the_fields_of_a_firewall_log(mixed: Sweep, render: Callable[[Sweep], str]) -> None:
    """Both ends of the connection, its time, evidence and advice."""
    text = render(mixed)
    for word in (
        "10.0.0.5:40000",
        "203.0.113.9:443",
        "2026-11-20T03:10:04.120Z",
        "nothing after 8 s",
        "Allow tcp/443.",
        "tcp_ip_blocked_silent",
        "an L3/L4 firewall (address, port)",
        "region westeurope, cloud public, catalog 2026-11-20",
        "arc-01",
        "FAIL: 2 required targets blocked or down, 1 required target unknown",
    ):
        assert word in text, word


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_findings_come_before_the_table(mixed: Sweep, render: Callable[..., str]) -> None:
    """Failing findings first, then degraded and unknown ones, then every target, the worst first."""
    text = render(mixed, TicketScope(every_target=True))
    places = [text.index(word) for word in ("Failing", "Degraded", "Unknown", "All targets")]
    assert places == sorted(places)
    table = text[places[-1] :]
    order = [table.index(f"{one}.example") for one in ("blocked", "down", "unknown", "slow", "good")]
    assert order == sorted(order)


def test_markdown_has_the_intended_structure(mixed: Sweep) -> None:
    """A Markdown reader finds each finding's rules, log rows, check and suspects, in this order."""
    tokens = MarkdownIt("commonmark").enable("table").parse(render_markdown(mixed))
    headings = [tokens[n + 1].content for n, one in enumerate(tokens) if one.type == "heading_open"]
    assert headings[0].startswith("egressd: FAIL: ")
    assert headings[1:8] == [
        "Failing",
        "1. No SYN to this address is answered",
        "Rules to add",
        "Rows to look for in the log",
        "Check by hand: blocked.example:443",
        "What decides",
        "What is known",
    ]
    assert headings[-1] == "Targets that are not ok"
    kinds = [one.type for one in tokens]
    findings = sum(one.startswith("Rows to look for") for one in headings)
    rules = headings.count("Rules to add")
    assert findings == 4
    assert kinds.count("fence") == 2 * findings  # commands and evidence
    assert kinds.count("table_open") == findings + rules + 2  # log rows, rules, products and targets


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_escapes_markup(sweep_of: SweepOf, row: RowOf, text: str) -> None:
    """Text from the network is never a link, an image, markup, or another row."""
    rendered = render_markdown(_hostile(sweep_of, row, text))
    plain = render_markdown(_hostile(sweep_of, row, "plain"))
    _same_frame(rendered, plain)
    assert all(one.isprintable() or one == "\n" for one in rendered)


@settings(max_examples=80)
@given(text=st.text(alphabet=st.sampled_from("ab `|\\<>[]()!*_~#@:/\n\r-+.=&\x1b"), max_size=40))
def test_markdown_escapes_any_text(sweep_of: SweepOf, row: RowOf, text: str) -> None:
    """Any text of characters that Markdown interprets is escaped."""
    _same_frame(
        render_markdown(_hostile(sweep_of, row, f"x{text}x")), render_markdown(_hostile(sweep_of, row, "x"))
    )


def _same_frame(rendered: str, plain: str) -> None:
    """Assert that two documents have the same blocks and that only egressd's labels are strong."""
    reader = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    frames = []
    for one in (rendered, plain):
        tokens = reader.parse(one)
        inner = [child.type for token in tokens for child in token.children or ()]
        frames.append([token.type for token in tokens])
        assert [kind for kind in inner if kind in DANGEROUS] == ["strong_open"]
    assert frames[0] == frames[1]


def test_names_are_code_spans() -> None:
    """A wildcard, reason code or URL is a code span, without brackets and punctuation around it."""
    assert inline("One rule is missing (*.his.arc.azure.com:443).") == (
        "One rule is missing (`*.his.arc.azure.com:443`)."
    )
    assert inline("see http://x.example/a, please") == "see `http://x.example/a`, please"
    assert inline("a|b", cell=True) == "`a\\|b`"
    assert inline("in `endpoints:`, or (`a: {b}`).") == "in `endpoints:`, or (`a: {b}`)."
    assert inline("<b>`a` `b`<b>") == "`` <b>`a` `` `` `b`<b> ``"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("text", HOSTILE)
def test_html_escapes_markup(sweep_of: SweepOf, row: RowOf, text: str) -> None:
    """Any text gives the same tags, no script, and nothing to load."""
    seen = []
    for one in (text, "plain"):
        reader = _Tags()
        rendered = render_html(_hostile(sweep_of, row, one))
        reader.feed(rendered)
        seen.append(reader.tags)
        assert not {"script", "img", "link", "iframe", "a", "base", "form"} & set(reader.tags)
        assert not {one for one in reader.attributes if one.startswith("on")} | (
            reader.attributes & {"src", "href", "style"}
        )
        assert all(one.isprintable() or one == "\n" for one in rendered)
    assert seen[0] == seen[1]


def test_html_has_a_content_security_policy(mixed: Sweep) -> None:
    """The policy of the file lets a browser load and run nothing."""
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in render_html(mixed)


def test_junit_has_a_case_for_every_target_and_source(mixed: Sweep) -> None:
    """Required failures fail, unknown is an error, failures of others are skipped, the rest passes."""
    root = ET.fromstring(render_junit(mixed))
    assert root.attrib.items() >= {"tests": "7", "failures": "2", "errors": "1", "skipped": "2"}.items()
    (suite,) = root
    assert suite.find("properties/property[@name='site']").attrib["value"] == "arc-01"  # type: ignore[union-attr]
    assert suite.attrib["name"] == "egressd from default"
    assert suite.attrib["timestamp"] == "2026-11-20T03:10:04"
    results = {
        case.attrib["name"].partition(".")[0]: [child.tag for child in case]
        for case in suite.iter("testcase")
    }
    assert results == {
        "good": [],
        "blocked": ["failure"],
        "down": ["failure"],
        "unknown": ["error"],
        "slow": ["system-out"],
        "maybe": ["skipped", "system-out"],
        "perhaps": ["skipped", "system-out"],
    }
    failure = suite.find("./testcase/failure")
    assert failure is not None
    assert failure.attrib == {
        "message": "blocked in tcp (tcp_ip_blocked_silent)",
        "type": "tcp_ip_blocked_silent",
    }
    assert failure.text is not None
    assert "what: blocked in tcp (tcp_ip_blocked_silent); confidence: high" in failure.text
    assert "who: most likely an L3/L4 firewall (address, port), else the service itself" in failure.text
    assert "not: the upstream network: other sites are reached" in failure.text
    assert "ask: Allow tcp/443." in failure.text
    assert "10.0.0.5:40000 -> 203.0.113.9:443" in failure.text


def test_junit_follows_the_common_format(mixed: Sweep) -> None:
    """Attributes, order and formats are those that Jenkins, GitLab and GitHub parse."""
    root = ET.fromstring(render_junit(mixed))
    assert root.tag == "testsuites"
    for suite in root:
        assert set(suite.attrib) == {
            "name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname",
        }  # fmt: skip
        assert next(child.tag for child in suite) == "properties"
        cases = list(suite.iter("testcase"))
        assert len({(one.attrib["classname"], one.attrib["name"]) for one in cases}) == len(cases)
        assert suite.attrib["tests"] == str(len(cases))
        for case in cases:
            assert set(case.attrib) == {"classname", "name", "time"}
            assert re.fullmatch(r"\d+\.\d{3}", case.attrib["time"])


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_is_valid_xml(sweep_of: SweepOf, row: RowOf, text: str) -> None:
    """No text makes it invalid, or adds a test case."""
    rendered = render_junit(_hostile(sweep_of, row, text))
    root = ET.fromstring(rendered.encode())
    assert len(list(root.iter("testcase"))) == 2
    assert all(one.isprintable() or one == "\n" for one in rendered)
