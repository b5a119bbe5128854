"""The types of the lines of a stream, told by their `type`; entries in them are those of a JSON report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from egressd.model.endpoint import Need
from egressd.model.observation import Timestamp
from egressd.report.diff.sweep_diff import Change, SweepDiff
from egressd.report.document import (
    CatalogEntry,
    JudgedTarget,
    ObservedTrail,
    RunEntry,
    SummaryEntry,
    VantageEntry,
)
from egressd.report.entries.plan import ProbeEntry
from egressd.report.entries.rule import FindingEntry, RuleEntry

STREAM = "egressd.stream/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLine:
    """The first line: what is going to be probed."""

    type: Literal["start"] = "start"
    time: Timestamp
    schema: Literal["egressd.stream/1"] = "egressd.stream/1"
    egressd: str
    catalog: CatalogEntry
    config_digest: str
    region: str | None
    cloud: str
    sources: tuple[str, ...]
    """Their names."""
    targets: int
    required: int
    """How many of the targets are required."""
    probes: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLine:
    """A probe ended. These are facts; what they mean is known when controls have ended, too."""

    type: Literal["probe"] = "probe"
    time: Timestamp
    probe: ProbeEntry
    failed: bool
    """Whether no trail came to its end."""
    trails: tuple[ObservedTrail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLine:
    """The verdict on a target."""

    type: Literal["target"] = "target"
    time: Timestamp
    target: JudgedTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class NotProbedLine:
    """An endpoint without a target."""

    type: Literal["not_probed"] = "not_probed"
    time: Timestamp
    endpoint: str
    pattern: str
    need: Need
    why: str
    lacks: tuple[str, ...]
    """What the operator could give so that it is probed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """One cause over many targets."""

    type: Literal["finding"] = "finding"
    time: Timestamp
    finding: FindingEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule to ask for, those that no finding asks for included."""

    type: Literal["rule"] = "rule"
    time: Timestamp
    rule: RuleEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLine:
    """A pass of a watch ended."""

    type: Literal["pass"] = "pass"
    time: Timestamp
    number: int
    elapsed_seconds: float
    """Since the watch began."""
    probes: int
    everything: bool
    """Whether what is ok was probed, too."""
    requested: bool
    """Whether a key or a signal asked for it."""
    ok: int
    """Targets that can be reached."""
    missing: int
    """Required targets that can't, or of which it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionLine:
    """A target changed during a watch."""

    type: Literal["change"] = "change"
    time: Timestamp
    elapsed_seconds: float
    change: Change
    target: JudgedTarget | None
    """As it is now; null: it is no target any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """The last line of what came to its end."""

    type: Literal["summary"] = "summary"
    time: Timestamp
    interrupted: bool
    """Whether it was stopped early: what is not known then is unknown."""
    exit_code: int
    run: RunEntry
    vantage: VantageEntry
    summary: SummaryEntry
    changes: SweepDiff | None
    """Since the baseline, or since the watch began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortedLine:
    """The last line of what did not: nothing is concluded."""

    type: Literal["aborted"] = "aborted"
    time: Timestamp
    why: str
    exit_code: int


Line = (
    StartLine
    | ProbeLine
    | TargetLine
    | NotProbedLine
    | FindingLine
    | RuleLine
    | PassLine
    | TransitionLine
    | SummaryLine
    | AbortedLine
)


@cache
def line_adapter() -> TypeAdapter[Any]:
    """Return the serializer of lines; building it is slow."""
    return TypeAdapter(Annotated[Line, Field(discriminator="type")])


def line_json(line: Line) -> str:
    """Return a line as JSON text, with its end."""
    return line_adapter().dump_json(line, by_alias=True).decode() + "\n"
