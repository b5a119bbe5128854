"""Build findings: title, evidence and advice for several targets at once.

The first line of evidence is one that can be searched for in a log; the number of targets comes after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from egressd.attribution.advice import advise_all, listed
from egressd.attribution.confidence import highest, lower
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.evidence import evidence_lines
from egressd.attribution.reasons import REASONS
from egressd.attribution.target_judgement import TargetJudgement, device_of
from egressd.model.verdict import Blame, Confidence, Finding, Verdict
from egressd.wording import count

MOST_LINES = 8


def group_by_device(
    inputs: DetectorInput, judgements: Iterable[TargetJudgement], *, least: int
) -> list[Finding]:
    """Return a finding for each device that breaks `least` targets or more in the same way."""
    groups: defaultdict[tuple[str, str], list[TargetJudgement]] = defaultdict(list)
    for one in judgements:
        if one.result is not None and one.result.match is not None:
            groups[one.code, device_of(one.result.match)].append(one)
    return [
        build_finding(inputs, code, key, some)
        for (code, key), some in sorted(groups.items())
        if len(some) >= least
    ]


def build_finding(
    inputs: DetectorInput,
    code: str,
    key: str,
    some: list[TargetJudgement],
    *,
    sure: Confidence | None = None,
    lines: tuple[str, ...] = (),
    **values: str,
) -> Finding:
    """Return the finding of a cause; `key` tells it from others of its code, `values` fill in the advice.

    `lines` are shown after the first line of evidence.
    """
    reason = REASONS[code]
    verdicts = [inputs.verdict(one) for one in some]
    own = code in {one.code for one in some}
    contexts = [one.deciding_match.context for one in some if one.deciding_match is not None]
    return Finding(
        id=finding_id(code, key),
        reason=code,
        blame=_blame(verdicts, own=own) or reason.blame,
        confidence=sure or _confidence(verdicts, reason.ceiling if own else reason.base),
        title=f"{reason.title} ({key})" if key else reason.title,
        targets=tuple(dict.fromkeys(one.target.id for one in some)),
        evidence=_evidence(some, lines),
        advice=verdicts[0].advice if own and len(some) == 1 else advise_all(reason, contexts, **values),
    )


def _confidence(verdicts: list[Verdict], most: Confidence) -> Confidence:
    """Return the highest confidence, as its evidence is the best, but never above what the code allows."""
    return lower(highest(one.confidence for one in verdicts), most)


def _blame(verdicts: list[Verdict], *, own: bool) -> Blame | None:
    """Return the party that the verdicts agree on; None for a cause with a code of its own."""
    blamed = {one.blame for one in verdicts}
    return verdicts[0].blame if own and len(blamed) == 1 else None


def _evidence(some: list[TargetJudgement], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return one deciding line, the number of targets, then the deciding lines of others up to a limit."""
    matches = [one.deciding_match for one in some if one.deciding_match is not None]
    shown = (line for one in matches for line in evidence_lines(one.context, one.phase)[:1])
    deciding = list(dict.fromkeys(shown))
    return (*deciding[:1], *lines, _affected(some), *deciding[1:MOST_LINES])


def _affected(some: list[TargetJudgement]) -> str:
    targets = count(len({one.target.id for one in some}), "target")
    return f"{targets} from source {listed(sorted({one.source for one in some}))}"


def finding_id(code: str, key: str) -> str:
    """Return an id made of a code and what tells it from others of the code."""
    words = re.sub(r"[^a-z0-9*]+", "-", key.lower()).strip("-")
    return f"{code}:{words[:80]}" if words else code
