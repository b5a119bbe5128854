"""Building findings: title, evidence and advice for several targets at once.

The first line of evidence is one that can be searched for in a log; how many are touched comes after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from egressd.attribution.advice import advise_all, listed
from egressd.attribution.confidence import worse
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.evidence import evidence_lines
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import REASONS
from egressd.attribution.target_judgement import TargetJudgement, device_of
from egressd.model.verdict import Blame, Confidence, Finding, Verdict
from egressd.wording import count

MOST_LINES = 8


def by_device(inputs: DetectorInput, judgements: Iterable[TargetJudgement], *, least: int) -> list[Finding]:
    """Put together what one device does, where it does it to `least` targets or more."""
    groups: defaultdict[tuple[str, str], list[TargetJudgement]] = defaultdict(list)
    for one in judgements:
        if one.result is not None and one.result.match is not None:
            groups[one.code, device_of(one.result.match)].append(one)
    return [
        finding(inputs, code, key, some) for (code, key), some in sorted(groups.items()) if len(some) >= least
    ]


def finding(
    inputs: DetectorInput,
    code: str,
    key: str,
    some: list[TargetJudgement],
    *,
    sure: Confidence | None = None,
    lines: tuple[str, ...] = (),
    **values: str,
) -> Finding:
    """Return the finding of a cause; `key` tells it from others of its code, `values` fill the advice.

    `lines` are shown after the first line of evidence.
    """
    reason = REASONS[code]
    verdicts = [inputs.verdict(one) for one in some]
    own = code in {one.code for one in some}
    return Finding(
        id=slug(code, key),
        reason=code,
        blame=_blame(verdicts, own=own) or reason.blame,
        confidence=sure or _confidence(verdicts, reason.ceiling if own else reason.base),
        title=f"{reason.title} ({key})" if key else reason.title,
        targets=tuple(dict.fromkeys(one.target.id for one in some)),
        evidence=_evidence(some, lines),
        advice=verdicts[0].advice
        if own and len(some) == 1
        else advise_all(reason, _contexts(some), **values),
    )


def _contexts(some: list[TargetJudgement]) -> list[TrailContext]:
    return [one.deciding_match.context for one in some if one.deciding_match is not None]


def _confidence(verdicts: list[Verdict], most: Confidence) -> Confidence:
    """Let the surest speak for all, for its evidence is the best; but never above what the code allows."""
    return worse(min((one.confidence for one in verdicts), key=tuple(Confidence).index), most)


def _blame(verdicts: list[Verdict], *, own: bool) -> Blame | None:
    """Return whom the verdicts agree on; a cause above them names its own party."""
    blamed = {one.blame for one in verdicts}
    return verdicts[0].blame if own and len(blamed) == 1 else None


def _evidence(some: list[TargetJudgement], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return a deciding line, who is touched, then the deciding lines of the others, up to a handful."""
    shown = [
        evidence_lines(one.context, one.phase)[:1]
        for one in (each.deciding_match for each in some)
        if one is not None
    ]
    deciding = list(dict.fromkeys(line for group in shown for line in group))
    return (*deciding[:1], *lines, _touched(some), *deciding[1:MOST_LINES])


def _touched(some: list[TargetJudgement]) -> str:
    targets = count(len({one.target.id for one in some}), "target")
    return f"{targets} from source {listed(sorted({one.source for one in some}))}"


def slug(code: str, key: str) -> str:
    """Return an id made of a code and what tells it apart."""
    words = re.sub(r"[^a-z0-9*]+", "-", key.lower()).strip("-")
    return f"{code}:{words[:80]}" if words else code
