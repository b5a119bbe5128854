"""The pages of the reason codes: what `egressd explain` prints, to read and to copy from."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from egressd.attribution.blame_text import CALL, blame_text
from egressd.attribution.reasons import CHAPTERS, Reason, fill_template
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.report.explain import command_blocks, usual_values
from egressd.web.template import render_page


class Step(Struct, frozen=True, kw_only=True):
    """A part of a check by hand: commands to copy, or prose."""

    is_command: bool
    text: str


def render_reason(reason: Reason, *, root: str) -> bytes:
    """Render the page of a reason."""
    chapter = next(name for name, table in CHAPTERS.items() if reason in table)
    return render_page(
        "reason.html",
        root=root,
        title=reason.code,
        reason=reason,
        chapter=chapter,
        usually=usual_values(reason),
        ask=reason.advise({}),
        suspects=[(blame_text(one), one.value, CALL[one]) for one in reason.suspects.parties],
        evidence=[one.partition(": ")[::2] for one in reason.evidence],
        checks=tuple(_checks(reason)),
    )


def render_reasons(*, root: str) -> bytes:
    """Render the list of all reasons, chapter by chapter."""
    return render_page("reasons.html", root=root, title="Reason codes", chapters=CHAPTERS)


def _checks(reason: Reason) -> Iterator[tuple[str, tuple[Step, ...]]]:
    yield "Check by hand", tuple(_steps(reason.confirmation({})))
    if through := confirmation_by_proxy(reason):
        yield "Check by hand, through a proxy", tuple(_steps(fill_template(through, {})))


def _steps(text: str) -> Iterator[Step]:
    for is_command, block in command_blocks(text):
        if is_command:
            yield Step(is_command=True, text="\n".join(line.removeprefix("$ ") for line in block))
        else:
            yield Step(is_command=False, text=" ".join(block))
