"""The page of the reason codes, made from the tables of `egressd.attribution.reasons`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from egressd.attribution.reasons import CHAPTERS, Reason, fill_template
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.report.explain import command_blocks, usual_values

MOST_PROOFS = 4
"""Tests named for one code; a few show more than all."""

HEAD = """\
# Reason codes

<!-- Generated from egressd/attribution/reasons and the tables of the tests; do not edit. To update it:
     make docs -->

A verdict that is not `ok` has one reason code; further reasons that hold are listed in `also`. Codes are
API: they are never renamed and never reused, so alerts and scripts can rely on them. `egressd explain CODE`
shows the same text.

Words in capitals (`HOST`, `PORT`, `SOURCE`, `ADDRESS`, `SNI`, ...) stand for values that a report fills
in. *Confidence* is that of one ordinary run; controls raise it, a failed control lowers it. Field names
under *evidence* are those of the JSON report; `controls.x` is a control of that kind. *Proven by* names the
tests that show the code on real sockets: with real firewalls, resolvers and proxies in network namespaces
(`tests/net`, `tests/foreign`), with real servers on loopback (`tests/servers`), or in `egressd lab`.
[unproven.md](unproven.md) lists the others, and why.
"""


def render_reason_page(proofs: Mapping[str, Sequence[str]]) -> str:
    """Render every reason code as Markdown; `proofs` names the tests that prove a code."""
    contents = [_contents(chapter, table) for chapter, table in CHAPTERS.items()]
    chapters = [
        "\n".join([f"## {chapter}\n", *(_article(one, proofs.get(one.code, ())) for one in table)])
        for chapter, table in CHAPTERS.items()
    ]
    return "\n".join([HEAD, "## Contents\n", *contents, *chapters])


def _contents(chapter: str, table: tuple[Reason, ...]) -> str:
    rows = [f"- [`{one.code}`](#{one.code}): {one.title}" for one in table]
    return "\n".join([f"**{chapter}**\n", *rows, ""])


def _article(reason: Reason, proofs: Sequence[str]) -> str:
    proven = "; ".join(proofs[:MOST_PROOFS]) or "no test on a network: see [unproven.md](unproven.md)"
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
