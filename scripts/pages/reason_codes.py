"""The pages of the reason codes, made from the tables of `egressd.attribution.reasons`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from egressd.attribution.reasons import CHAPTERS, Reason, fill_template
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.report.explain import command_blocks, usual_values

MOST_PROOFS = 4
"""Tests named for one code; a few show more than all."""

FOLDER = "docs/reasons"

INDEX_HEAD = """\
# Reason codes

<!-- Generated from egressd/attribution/reasons and the tables of the tests; do not edit. To update it:
     make docs -->

A verdict that is not `ok` has one reason code; further reasons that hold are listed in `also`. Codes are
API: they are never renamed and never reused, so alerts and scripts can rely on them. The prefix names the
phase, and each phase has a page: what a code means, the evidence, what to ask for, how to check it by hand.
`egressd explain CODE` shows the same text, without a network. Who is meant by each party, and which team to
call: [blame words](blame.md).
"""

PAGE_HEAD = """\
# Reason codes: {title}

<!-- Generated from egressd/attribution/reasons and the tables of the tests; do not edit. To update it:
     make docs -->

{about} [All codes](../reason-codes.md).

Words in capitals (`HOST`, `PORT`, `SOURCE`, `ADDRESS`, `SNI`, ...) stand for values that a report fills
in. *Confidence* is that of one ordinary run; controls raise it, a failed control lowers it. Field names
under *evidence* are those of the JSON report; `controls.x` is a control of that kind. *Proven by* names the
tests that show the code on real sockets: with real firewalls, resolvers and proxies in network namespaces
(`tests/net`, `tests/foreign`), with real servers on loopback (`tests/servers`), or in `egressd lab`.
[unproven.md](../unproven.md) lists the others, and why.
"""

PHASE_PAGES: Mapping[str, tuple[str, str]] = {
    "local": (
        "this host",
        "The host that probes, or its first hop: nothing left it, so nobody else is to blame.",
    ),
    "dns": ("DNS", "The name has no answer, or one that leads elsewhere."),
    "tcp": ("TCP", "The name resolved; the connection is not made, or does not hold."),
    "proxy": ("proxy", "The way leads through an explicit proxy, and what failed is the proxy or behind it."),
    "tls": (
        "TLS",
        "The connection is made; the handshake fails, or the certificate is not the one expected.",
    ),
    "http": ("HTTP", "The session is there; the answer is not what the endpoint gives."),
    "ntp": ("NTP", "The time can't be asked for."),
    "site": ("the whole site", "One cause over many targets: these are codes of findings."),
    "egressd": ("egressd itself", "No statement about the network."),
}
"""Title and first sentence of each page, by its file name: the prefix of a phase."""

_PAGE_OF_CHAPTER: Mapping[str, str] = {
    "This host and its first hop": "local",
    "DNS": "dns",
    "TCP": "tcp",
    "Proxy": "proxy",
    "HTTP": "http",
    "NTP": "ntp",
    "The whole site": "site",
    "egressd itself": "egressd",
}
"""The page of a chapter; those that are not here are parts of TLS."""


def reason_pages(proofs: Mapping[str, Sequence[str]]) -> Mapping[str, Callable[[], str]]:
    """Return the index and the page of each phase, by path; `proofs` names the tests that prove a code."""
    pages = {f"{FOLDER}/{name}.md": partial(render_phase, name, proofs) for name in PHASE_PAGES}
    return {"docs/reason-codes.md": render_reason_index, **pages}


def render_reason_index() -> str:
    """Render a row for each code with a link to its text; old links to this page's anchors lead to it."""
    return "\n".join([INDEX_HEAD, *(_chapter_rows(chapter, table) for chapter, table in CHAPTERS.items())])


def render_phase(name: str, proofs: Mapping[str, Sequence[str]]) -> str:
    """Render the codes of one phase."""
    title, about = PHASE_PAGES[name]
    chapters = {one: table for one, table in CHAPTERS.items() if page_of(one) == name}
    contents = [f"- [`{one.code}`](#{one.code}): {one.title}" for table in chapters.values() for one in table]
    articles = [
        "\n".join([f"## {chapter}\n", *(_article(one, proofs.get(one.code, ())) for one in table)])
        for chapter, table in chapters.items()
    ]
    return "\n".join([PAGE_HEAD.format(title=title, about=about), *contents, "", *articles])


def page_of(chapter: str) -> str:
    """Return the name of the page that a chapter stands on."""
    return _PAGE_OF_CHAPTER.get(chapter, "tls")


def _chapter_rows(chapter: str, table: tuple[Reason, ...]) -> str:
    page = f"reasons/{page_of(chapter)}.md"
    rows = [
        f'| <a id="{one.code}"></a>[`{one.code}`]({page}#{one.code}) | {one.title} '
        f"| {', '.join(f'`{party}`' for party in one.suspects.parties)} |"
        for one in table
    ]
    heads = [
        "| code | what happened | who can have caused it, the most likely first |",
        "| --- | --- | --- |",
    ]
    return "\n".join([f"## {chapter}\n", *heads, *rows, ""])


def _article(reason: Reason, proofs: Sequence[str]) -> str:
    proven = "; ".join(proofs[:MOST_PROOFS]) or "no test on a network: see [unproven.md](../unproven.md)"
    evidence = "\n".join(_fact(one) for one in reason.evidence)
    return "\n\n".join(
        (
            f"### {reason.code}",
            f"**{reason.title}.** {reason.meaning}",
            f"*Observed:* {reason.signal}",
            f"*Evidence:*\n\n{evidence}",
            f"*Usually:* {usual_values(reason)}",
            f"*Ask:* {reason.advise({})}",
            f"*Check by hand:*\n\n{_fenced(reason.confirmation({}))}",
            *(f"*Check by hand, through a proxy:*\n\n{_fenced(one)}" for one in _through_proxy(reason)),
            f"*Proven by:* {proven}\n",
        )
    )


def _through_proxy(reason: Reason) -> Iterator[str]:
    if through := confirmation_by_proxy(reason):
        yield fill_template(through, {})


def _fact(evidence: str) -> str:
    names, _, words = evidence.partition(": ")
    fields = ", ".join(f"`{name}`" for name in names.split(", "))
    return f"- {fields}: {words}"


def _fenced(text: str) -> str:
    return "\n\n".join(
        "```sh\n" + "\n".join(line.removeprefix("$ ") for line in block) + "\n```"
        if command
        else " ".join(block)
        for command, block in command_blocks(text)
    )
