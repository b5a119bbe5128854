"""Build findings: title, evidence and advice for several targets at once, from every source they fail from.

The first line of evidence is one that can be searched for in a log; the number of targets comes after it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution.advice import advise_all, source_order, values_of, values_of_all
from egressd.attribution.blame.elimination import (
    NONE_RULED_OUT,
    Attribution,
    SharedFact,
    common_attribution,
    narrowed,
    usual_attribution,
    with_deciders,
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
from egressd.model.plan import Plan
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
    reason, group = REASONS[code], Concerned.build(inputs, some)
    verdicts = [inputs.verdict(one) for one in some]
    own = code in {one.code for one in some}
    sure = sure or _confidence(verdicts, own=own)
    found = _attribution(
        reason,
        verdicts,
        own=own or facts is not None,
        same_device=_is_same_device(some),
        sure=sure,
        values=group.values | values,
    )
    if facts:
        found = narrowed(found, facts, most=sure)
    found = group.decided(found)
    one_verdict = verdicts[0].advice if own and len(some) == 1 else None
    return Finding(
        id=finding_id(code, key),
        reason=code,
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
        confidence=sure,
        title=titled(reason, key if shown is None else shown, group.sources, inputs.index.recording.plan),
        targets=tuple(dict.fromkeys(one.target.id for one in some)),
        evidence=_evidence(group, lines),
        advice=" ".join(
            (one_verdict or _ask(reason, group, found, values), *_otherwise(inputs, group.others))
        ),
        sources=group.sources,
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
    sources: tuple[str, ...] = (),
    places: tuple[str, ...] = (),
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
        evidence=evidence,
        advice=request(reason, reason.advise(values or {}), found, values or {}),
        sources=sources,
        places=places,
    )


class Concerned(Struct, frozen=True, kw_only=True):
    """The judgements of a cause, from every source."""

    alike: tuple[TargetJudgement, ...]
    """Those of the cause, and how the same targets end alike from other sources."""
    others: tuple[TargetJudgement, ...]
    """How the same targets fail in other ways from other sources."""

    @classmethod
    def build(cls, inputs: DetectorInput, some: Sequence[TargetJudgement]) -> Concerned:
        """Return the judgements of a cause with those of other sources."""
        alike = (*some, *inputs.alike(some))
        return cls(alike=alike, others=inputs.otherwise(alike))

    @property
    def contexts(self) -> list[TrailContext]:
        """What shows the cause."""
        return _contexts(self.alike)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of its sources, in the order of the plan."""
        return _sources((*self.alike, *self.others))

    @property
    def values(self) -> dict[str, str]:
        """The values of placeholders."""
        return _values(self.contexts)

    def decided(self, found: Attribution) -> Attribution:
        """Return an attribution whose deciding log lines are those of every source."""
        contexts = self.contexts
        if len(source_order(contexts)) < 2:
            return found
        every = self.values
        values = values_of(contexts[0]) | {name: every[name] for name in ("source", "ends", "flow")}
        return replace(found, suspects=with_deciders((one.blame for one in found.suspects), values))


def _sources(some: Iterable[TargetJudgement]) -> tuple[str, ...]:
    return source_order(_contexts(some))


def _contexts(some: Iterable[TargetJudgement]) -> list[TrailContext]:
    return [one.deciding_match.context for one in some if one.deciding_match is not None]


def _ask(reason: Reason, group: Concerned, found: Attribution, values: dict[str, str]) -> str:
    return request(reason, advise_all(reason, group.contexts, **values), found, group.values | values)


def _otherwise(inputs: DetectorInput, others: Iterable[TargetJudgement]) -> Iterator[str]:
    """Yield what to ask for where the same targets fail from other sources in other ways."""
    groups: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in others:
        groups[one.code].append(one)
    for code, some in sorted(groups.items()):
        reason, group = REASONS[code], Concerned(alike=tuple(some), others=())
        verdicts = [inputs.verdict(one) for one in some]
        sure = _confidence(verdicts, own=True)
        found = _attribution(reason, verdicts, own=True, same_device=False, sure=sure, values=group.values)
        asked = _ask(reason, group, group.decided(found), {})
        yield f"From {', '.join(group.sources)} it ends otherwise ({code}): {asked}"


def titled(reason: Reason, shown: str, sources: tuple[str, ...], plan: Plan) -> str:
    """Return a title with what tells the cause from others, and its sources where the plan has several."""
    title = f"{reason.title} ({shown})" if shown else reason.title
    named = [one for one in sources if one not in shown]
    return f"{title} from {', '.join(sources)}" if named and len(plan.sources) > 1 else title


def _is_same_device(some: Sequence[TargetJudgement]) -> bool:
    """Whether something of the device itself shows that it is one, or a single target speaks."""
    known = {_identity(one) for one in some}
    return len(some) == 1 or (len(known) == 1 and known != {""})


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
    return values_of_all(contexts) if contexts else {}


def _evidence(group: Concerned, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return a deciding line, the number of targets, then a line of each other source, and some of others."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for one in (*group.alike, *group.others):
        if (match := one.deciding_match) is not None:
            found[one.source].update(dict.fromkeys(evidence_lines(match.context, match.phase)[:1]))
    firsts = dict.fromkeys(next(iter(found[name])) for name in group.sources if found[name])
    deciding = list(firsts | dict.fromkeys(line for seen in found.values() for line in seen))
    return (*deciding[:1], *lines, _affected(group), *deciding[1 : max(MOST_LINES, len(firsts))])


def _affected(group: Concerned) -> str:
    targets, sources = count(len({one.target.id for one in group.alike}), "target"), group.sources
    return f"{targets} from source{'s' if len(sources) > 1 else ''} {', '.join(sources)}"


def finding_id(code: str, key: str) -> str:
    """Return an id made of a code and what tells it from others of the code."""
    words = re.sub(r"[^a-z0-9*]+", "-", key.lower()).strip("-")
    return f"{code}:{words[:80]}" if words else code
