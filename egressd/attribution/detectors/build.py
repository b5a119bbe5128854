"""Build findings: title, evidence and advice for several targets at once.

The first line of evidence is one that can be searched for in a log; the number of targets comes after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from egressd.attribution.advice import advise_all, listed, values_of
from egressd.attribution.blame.elimination import (
    NONE_RULED_OUT,
    Attribution,
    SharedFact,
    common_attribution,
    narrowed,
    usual_attribution,
)
from egressd.attribution.blame.request import request
from egressd.attribution.blame.suspects import Signature
from egressd.attribution.certainty import highest, lower
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.detectors.device import group_by_device
from egressd.attribution.evidence import evidence_lines
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import REASONS, Reason
from egressd.attribution.target_judgement import TargetJudgement, device_of
from egressd.model.verdict import Blame, Confidence, Finding, Verdict
from egressd.wording import count

MOST_LINES = 8


def find_devices(
    inputs: DetectorInput, judgements: Iterable[TargetJudgement], *, least: int
) -> list[Finding]:
    """Return a finding for each device that breaks `least` targets or more in the same way."""
    by_code: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in judgements:
        if one.result is not None and one.result.match is not None:
            by_code[one.code].append(one)
    return [
        build_finding(inputs, code, group.key, list(group.judgements), shown=group.shown)
        for code, some in sorted(by_code.items())
        for group in group_by_device(inputs, some)
        if len(group.judgements) >= least
    ]


def build_finding(
    inputs: DetectorInput,
    code: str,
    key: str,
    some: list[TargetJudgement],
    *,
    shown: str | None = None,
    sure: Confidence | None = None,
    lines: tuple[str, ...] = (),
    facts: tuple[SharedFact, ...] | None = None,
    **values: str,
) -> Finding:
    """Return the finding of a cause; `key` tells it from others of its code, `values` fill in the advice.

    No peer chooses the key, or it could make a new cause of each connection. The title shows the key, or what
    is `shown` instead. `lines` come after the first line of evidence. With `facts` those whom its targets
    leave are the suspects, less those whom the facts rule out; None: the usual ones, for a code that no
    target has.
    """
    reason = REASONS[code]
    verdicts = [inputs.verdict(one) for one in some]
    own = code in {one.code for one in some}
    contexts = [one.deciding_match.context for one in some if one.deciding_match is not None]
    sure = sure or _confidence(verdicts, own=own)
    known = _values(contexts) | values
    same_device = len({_identity(one) for one in some}) == 1 and bool(_identity(some[0]))
    found = _attribution(
        reason,
        verdicts,
        own=own or facts is not None,
        same_device=same_device or len(some) == 1,
        sure=sure,
        values=known,
    )
    if facts:
        found = narrowed(found, facts, most=sure)
    return Finding(
        id=finding_id(code, key),
        reason=code,
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
        confidence=sure,
        title=_title(reason, key if shown is None else shown),
        targets=tuple(dict.fromkeys(one.target.id for one in some)),
        sources=tuple(sorted({one.source for one in some})),
        evidence=_evidence(some, lines),
        advice=verdicts[0].advice
        if own and len(some) == 1
        else request(reason, advise_all(reason, contexts, **values), found, known),
    )


def finding_about_path(
    code: str,
    key: str,
    *,
    sure: Confidence,
    evidence: tuple[str, ...],
    title: str = "",
    values: Mapping[str, str] | None = None,
    suspects: Signature | None = None,
    ruled_out: Mapping[Blame, str] = NONE_RULED_OUT,
    sources: Iterable[str] = (),
    places: Iterable[str] = (),
) -> Finding:
    """Return a finding without targets, about the path or this host.

    `places`: what it is about, as `host:port`, seen from `sources`, by name. `suspects`: who can have caused
    it, where what was seen shows more than the reason's usual ones; `ruled_out`: who of them did not, each
    with the fact.
    """
    reason = REASONS[code]
    found = usual_attribution(
        suspects or reason.suspects, most=sure, values=values or {}, ruled_out=ruled_out
    )
    return Finding(
        id=finding_id(code, key),
        reason=code,
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
        confidence=sure,
        title=title or reason.title,
        targets=(),
        sources=tuple(sorted(set(sources))),
        places=tuple(dict.fromkeys(places)),
        evidence=evidence,
        advice=request(reason, reason.advise(values or {}), found, values or {}),
    )


def _title(reason: Reason, shown: str) -> str:
    return f"{reason.title} ({shown})" if shown else reason.title


def _identity(one: TargetJudgement) -> str:
    """Return what is known of the device that broke a target."""
    return device_of(one.deciding_match) if one.deciding_match is not None else ""


def _confidence(verdicts: list[Verdict], *, own: bool) -> Confidence:
    """Return the highest confidence; a cause that is read from several targets is at most high."""
    found = highest(one.confidence for one in verdicts)
    return found if own else lower(found, Confidence.HIGH)


def _attribution(
    reason: Reason,
    verdicts: list[Verdict],
    *,
    own: bool,
    same_device: bool,
    sure: Confidence,
    values: Mapping[str, str],
) -> Attribution:
    """Return who caused it: by the facts of its targets, or as usual for a cause with a code of its own."""
    common = common_attribution(verdicts, same_device=same_device) if own else None
    return common or usual_attribution(reason.suspects, most=sure, values=values)


def _values(contexts: list[TrailContext]) -> dict[str, str]:
    return values_of(contexts[0]) if contexts else {}


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
