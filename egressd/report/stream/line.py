"""The types of the lines of a stream, told by their `type`; entries in them are those of a JSON report."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from egressd.model.endpoint import Need
from egressd.model.observation import Timestamp
from egressd.model.recording import Trail
from egressd.report.diff.sweep_diff import Change, SweepDiff
from egressd.report.document import (
    CatalogEntry,
    JudgedTarget,
    RunEntry,
    SummaryEntry,
    VantageEntry,
)
from egressd.report.entries.plan import ProbeEntry
from egressd.report.entries.rule import FindingEntry, RuleEntry

STREAM = "egressd.stream/1"


class StartLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="start"):
    """The first line: what is going to be probed."""

    time: Timestamp
    schema: Literal["egressd.stream/1"] = "egressd.stream/1"
    egressd: str
    catalog: CatalogEntry
    config_digest: str
    site: str | None = None
    """The host's place in a fleet; null: an older version wrote the report."""
    region: str | None
    cloud: str
    sources: tuple[str, ...]
    """Their names."""
    targets: int
    required: int
    """How many of the targets are required."""
    probes: int
    notes: tuple[str, ...]


class ProbeLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="probe"):
    """A probe ended. These are facts; what they mean is known when controls have ended, too."""

    time: Timestamp
    probe: ProbeEntry
    failed: bool
    """Whether no trail came to its end."""
    trails: tuple[Trail, ...]


class TargetLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="target"):
    """The verdict on a target."""

    time: Timestamp
    target: JudgedTarget


class NotProbedLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="not_probed"):
    """An endpoint without a target."""

    time: Timestamp
    endpoint: str
    pattern: str
    need: Need
    why: str
    lacks: tuple[str, ...]
    """What the operator could give so that it is probed."""


class FindingLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="finding"):
    """One cause over many targets."""

    time: Timestamp
    finding: FindingEntry


class RuleLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="rule"):
    """A rule to ask for, those that no finding asks for included."""

    time: Timestamp
    rule: RuleEntry


class PassLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="pass"):
    """A pass of a watch ended."""

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


class TransitionLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="change"):
    """A target changed during a watch."""

    time: Timestamp
    elapsed_seconds: float
    change: Change
    target: JudgedTarget | None
    """As it is now; null: it is no target any more."""


class SummaryLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="summary"):
    """The last line of what came to its end."""

    time: Timestamp
    interrupted: bool
    """Whether it was stopped early: what is not known then is unknown."""
    exit_code: int
    run: RunEntry
    vantage: VantageEntry
    summary: SummaryEntry
    changes: SweepDiff | None
    """Since the baseline, or since the watch began."""


class AbortedLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="aborted"):
    """The last line of what did not: nothing is concluded."""

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


def line_json(line: Line) -> str:
    """Return a line as JSON text, with its end."""
    return msgspec.json.encode(line).decode() + "\n"
