"""The types of the JSON report, `egressd.sweep/1`, and parsing of untrusted report files.

`sweep-1.schema.json` is generated from these types. Facts are the model's own values. Trails are listed
under their targets: targets that share a probe repeat its trails, and each trail names its probe. Proxy
credentials are left out.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Struct

from egressd.errors import ReportFileError
from egressd.model.endpoint import Expect, GatewayUse, Inspection, Need, Protocol, Role, SampleKind
from egressd.model.observation import Phase, Timestamp
from egressd.model.recording import Baseline, ClockReading, Control, Trail, VantageSource
from egressd.model.settings import Family
from egressd.model.verdict import (
    Blame,
    Confidence,
    Outcome,
    OutcomeCounts,
    RuledOut,
    Suspect,
    Verdict,
)
from egressd.report.bounds import (
    MAX_CHARACTERS,
    MAX_CONTAINERS,
    MAX_VALUES,
    check_bounds,
    check_networks,
    is_too_big,
)
from egressd.report.diff.sweep_diff import SweepDiff
from egressd.report.entries.plan import PlanEntry
from egressd.report.entries.rule import FindingEntry, RuleEntry

SCHEMA = "egressd.sweep/1"
STREAM_START = '{"type":"start",'
"""How a stream of lines begins, which is no report."""
_OTHER_SWEEP = re.compile(r"egressd\.sweep/[0-9]{1,9}")
_GIVEN = re.compile(r" '.*'", re.DOTALL)
"""What a file gave, as a message quotes it."""


class CatalogEntry(Struct, frozen=True, kw_only=True):
    """The catalog of the plan."""

    revision: str
    digest: str


class RunEntry(Struct, frozen=True, kw_only=True):
    """When the sweep ran, and which version wrote the report."""

    id: str
    started: Timestamp
    finished: Timestamp
    interrupted: bool
    """Whether it was stopped early; incomplete probes are missing."""
    egressd: str
    """The version that judged the sweep."""
    catalog: CatalogEntry
    config_digest: str
    evidence_since: Timestamp | None = None
    """What was seen before is no evidence about other targets."""


class VantageEntry(Struct, frozen=True, kw_only=True):
    """The host that the sweep was made from."""

    host: str
    site: str | None = None
    """The host's place in a fleet; null: an older version wrote the report."""
    sources: tuple[VantageSource, ...]
    resolvers: tuple[str, ...]
    proxy: str | None
    families: tuple[Family, ...]
    trust: dict[str, str]
    clock_offset_seconds: float | None = None
    """Time of other hosts minus time of this host."""
    clock_readings: tuple[ClockReading, ...] = ()
    local_addresses: tuple[str, ...] = ()
    proxy_variables: tuple[str, ...] = ()
    """Names, not values, of the proxy variables in the environment."""
    python: str = ""


class SummaryEntry(OutcomeCounts, frozen=True, kw_only=True):
    """Targets by outcome, and what the sweep says as a whole."""

    by_profile: dict[str, OutcomeCounts]
    """A target counts for each of its profiles; own endpoints count under `own endpoints`."""
    conclusion: str = ""
    """The sentence that every format ends or begins with."""
    exit_code: int | None = None
    notices: tuple[str, ...] = ()
    """What to read before anything else, such as that there is no public DNS."""
    required_not_probed: tuple[str, ...] = ()
    """Required endpoints that were not probed for want of an option, so that nothing is proved of them."""
    missing_options: tuple[str, ...] = ()
    """The options and keys that would have them probed."""


class SampleEntry(Struct, frozen=True, kw_only=True):
    """Where the sample host of the endpoint comes from."""

    kind: SampleKind


class SourceEntry(Verdict, frozen=True, kw_only=True):
    """The verdict from one source, along one path."""

    source: str
    path: str = "direct"


class TrailEntry(Trail, frozen=True, kw_only=True):
    """A trail and its probe."""

    probe: str


class JudgedTarget(Struct, frozen=True, kw_only=True):
    """A target and its verdict, the worst of its sources."""

    id: str
    endpoint: str
    profiles: tuple[str, ...]
    service: str
    pattern: str
    sample: SampleEntry
    host: str
    port: int
    protocol: Protocol
    need: Need
    condition: str | None = None
    roles: tuple[Role, ...]
    path: str = "/"
    expect: Expect
    inspection: Inspection
    private_link: bool = False
    internal: bool = False
    owned: bool | None = None
    route: str | None = None
    gateway: GatewayUse | None = None
    one_of: str | None = None
    """The choice of endpoints it belongs to, of which one that works is enough."""
    row_need: Need | None = None
    deep: bool = False
    last_port: int | None = None
    service_tags: tuple[str, ...] = ()
    not_needed: str | None = None
    """The endpoint that works in its place, so that it does not decide; null: there is none."""
    outcome: Outcome
    phase: Phase | None
    reason: str | None
    confidence: Confidence
    blame: Blame | None
    blame_confidence: Confidence | None = None
    suspects: tuple[Suspect, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    also: tuple[str, ...]
    flags: tuple[str, ...]
    evidence: tuple[str, ...]
    advice: str
    by_source: tuple[SourceEntry, ...]
    other_path: tuple[SourceEntry, ...] = ()
    """Verdicts along the path that is not in use, where both paths were compared; for information only."""


class TargetEntry(JudgedTarget, frozen=True, kw_only=True):
    """A judged target and its trails."""

    trails: tuple[TrailEntry, ...]


class _Head(Struct):
    """The part of a report that tells which one it is."""

    schema: object = None


class Report(Struct, frozen=True, kw_only=True):
    """One sweep: facts and verdicts."""

    schema: Literal["egressd.sweep/1"]
    run: RunEntry
    vantage: VantageEntry
    summary: SummaryEntry
    targets: tuple[TargetEntry, ...]
    findings: tuple[FindingEntry, ...]
    controls: tuple[Control, ...]
    plan: PlanEntry
    rules: tuple[RuleEntry, ...] = ()
    """The rules that all failures ask for, those that no finding explains included."""
    baseline: Baseline | None = None
    """The baseline of the sweep."""
    changes: SweepDiff | None = None
    """Changes since the baseline."""


def parse_report(text: str) -> Report:
    """Parse the text of a report.

    Raises:
        ReportFileError: it is too big or not a report; the message names the first error.
    """
    if is_too_big(text):
        raise ReportFileError(
            f"too big: more than {MAX_CHARACTERS} characters, {MAX_CONTAINERS} objects or {MAX_VALUES} values"
        )
    if not text.strip():
        raise ReportFileError("it is empty")
    if text.startswith(STREAM_START):
        raise ReportFileError("it is a stream of --format jsonl; a report is written with --format json")
    try:
        report = msgspec.json.decode(text, type=Report)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ReportFileError(_first_error(text, str(error))) from None
    check_bounds(report)
    check_networks(report.plan.trust, report.plan.service_tags)
    return report


def _first_error(text: str, said: str) -> str:
    """Describe why a text is no report, by the place of its first error; the content is not shown."""
    try:
        head = msgspec.json.decode(text, type=_Head)
    except msgspec.ValidationError:
        head = _Head()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _not_json(said)
    if isinstance(head.schema, str) and head.schema != SCHEMA and _OTHER_SWEEP.fullmatch(head.schema):
        return f"it is {head.schema}, and this egressd reads {SCHEMA}; use the version that wrote it"
    if head.schema != SCHEMA:
        return f'not a report: its schema is not "{SCHEMA}"'
    what, _, where = said.partition(" - at `$")
    place = where.rstrip("`").removeprefix(".")
    return f"{place[:200]}: {what[:1].lower()}{_GIVEN.sub('', what[1:200])}"


def _not_json(why: str) -> str:
    if "truncated" in why:
        return f"it ends too soon, so it was cut off or is still being written ({why})"
    return f"not JSON, which --format json writes ({why.removeprefix('JSON is malformed: ')[:100]})"
