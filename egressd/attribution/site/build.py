"""Building findings: title, evidence and advice for several targets at once.

The first line of evidence is one that can be searched for in a log; how many are touched comes after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from egressd.attribution.advice import advise_all, listed
from egressd.attribution.confidence import worse
from egressd.attribution.evidence import describe
from egressd.attribution.facts.case import Case
from egressd.attribution.opinion import Opinion, device
from egressd.attribution.reasons import REASONS
from egressd.attribution.site.field import Field
from egressd.model.verdict import Blame, Confidence, Finding, Verdict
from egressd.wording import count

MOST_LINES = 8


def by_device(field: Field, opinions: Iterable[Opinion], *, least: int) -> list[Finding]:
    """Put together what one device does, where it does it to `least` targets or more."""
    groups: defaultdict[tuple[str, str], list[Opinion]] = defaultdict(list)
    for one in opinions:
        if one.ruling is not None and one.ruling.match is not None:
            groups[one.code, device(one.ruling.match)].append(one)
    return [
        finding(field, code, key, some) for (code, key), some in sorted(groups.items()) if len(some) >= least
    ]


def finding(
    field: Field,
    code: str,
    key: str,
    some: list[Opinion],
    *,
    sure: Confidence | None = None,
    lines: tuple[str, ...] = (),
    **values: str,
) -> Finding:
    """Return the finding of a cause; `key` tells it from others of its code, `values` fill the advice.

    `lines` are shown after the first line of evidence.
    """
    reason = REASONS[code]
    verdicts = [field.verdict(one) for one in some]
    own = code in {one.code for one in some}
    return Finding(
        id=slug(code, key),
        reason=code,
        blame=_blame(verdicts, own=own) or reason.blame,
        confidence=sure or _confidence(verdicts, reason.ceiling if own else reason.base),
        title=f"{reason.title} ({key})" if key else reason.title,
        targets=tuple(dict.fromkeys(one.target.id for one in some)),
        evidence=_evidence(some, lines),
        advice=verdicts[0].advice if own and len(some) == 1 else advise_all(reason, _cases(some), **values),
    )


def _cases(some: list[Opinion]) -> list[Case]:
    return [one.telling.case for one in some if one.telling is not None]


def _confidence(verdicts: list[Verdict], most: Confidence) -> Confidence:
    """Let the surest speak for all, for its evidence is the best; but never above what the code allows."""
    return worse(min((one.confidence for one in verdicts), key=tuple(Confidence).index), most)


def _blame(verdicts: list[Verdict], *, own: bool) -> Blame | None:
    """Return whom the verdicts agree on; a cause above them names its own party."""
    blamed = {one.blame for one in verdicts}
    return verdicts[0].blame if own and len(blamed) == 1 else None


def _evidence(some: list[Opinion], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return a deciding line, who is touched, then the deciding lines of the others, up to a handful."""
    shown = [describe(one.case, one.phase)[:1] for one in (each.telling for each in some) if one is not None]
    deciding = list(dict.fromkeys(line for group in shown for line in group))
    return (*deciding[:1], *lines, _touched(some), *deciding[1:MOST_LINES])


def _touched(some: list[Opinion]) -> str:
    targets = count(len({one.target.id for one in some}), "target")
    return f"{targets} from source {listed(sorted({one.source for one in some}))}"


def slug(code: str, key: str) -> str:
    """Return an id made of a code and what tells it apart."""
    words = re.sub(r"[^a-z0-9*]+", "-", key.lower()).strip("-")
    return f"{code}:{words[:80]}" if words else code
