"""The JSON report, `egressd.sweep/1`: its shape, and reading it from a file anyone may have written.

The dataclasses are the contract; `sweep-1.schema.json` is made from them. Facts are the model's own
values. Trails stand under the targets they answer for: targets that share a probe repeat its trails,
and each trail names its probe. The credentials of a proxy are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic_core import SchemaValidator, ValidationError

from egressd.errors import ReportFileError
from egressd.model.endpoint import Expect, Inspection, Need, Protocol, Role, SampleKind
from egressd.model.observation import Observation, Phase, Timestamp
from egressd.model.plan import ControlPlan, Coverage, Probe, Unsampled
from egressd.model.recording import Baseline, ClockReading, Control, Trail, VantageSource
from egressd.model.settings import Family, Limits, Resolver, Source, Traffic, Trust
from egressd.model.verdict import Blame, Confidence, Finding, Outcome, OutcomeCounts, Verdict
from egressd.report.sweep_diff import SweepDiff
from egressd.yamlfile import render_path

SCHEMA = "egressd.sweep/1"
_OTHER_SWEEP = re.compile(r"egressd\.sweep/[0-9]{1,9}")

MAX_CHARACTERS = 64 * 1024 * 1024
MAX_VALUES = 500_000
"""Objects and lists; a sweep of 1,000 targets has a fifth of it."""

AnyObservation = Annotated[Observation, Field(discriminator="phase")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """Which catalog the plan was made from."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """When, and by what."""

    id: str
    started: Timestamp
    finished: Timestamp
    interrupted: bool
    """Whether somebody stopped it: what was not complete is missing."""
    egressd: str
    """The version that judged and wrote this."""
    catalog: CatalogEntry
    config_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageEntry:
    """Where the sweep was made from."""

    host: str
    sources: tuple[VantageSource, ...]
    resolvers: tuple[str, ...]
    proxy: str | None
    families: tuple[Family, ...]
    trust: dict[str, str]
    clock_offset_seconds: float | None = None
    """Their time minus ours."""
    clock_readings: tuple[ClockReading, ...] = ()
    local_addresses: tuple[str, ...] = ()
    proxy_variables: tuple[str, ...] = ()
    """Names, never values, of the environment's proxy variables."""
    python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryEntry(OutcomeCounts):
    """How many targets ended how."""

    by_profile: dict[str, OutcomeCounts]
    """A target counts for each profile that needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEntry:
    """How the host came to stand for the endpoint."""

    kind: SampleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry(Verdict):
    """The verdict from one source, along one path."""

    source: str
    path: str = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedTrail(Trail):
    """The observations of one way, in order; at most the last one failed."""

    observations: tuple[AnyObservation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry(ObservedTrail):
    """A trail, and the probe that left it."""

    probe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEntry:
    """A target, its verdict (the worst over its sources) and the trails it rests on."""

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
    outcome: Outcome
    phase: Phase | None
    reason: str | None
    confidence: Confidence
    blame: Blame | None
    also: tuple[str, ...]
    flags: tuple[str, ...]
    evidence: tuple[str, ...]
    advice: str
    by_source: tuple[SourceEntry, ...]
    other_path: tuple[SourceEntry, ...] = ()
    """How it does along the path that is not taken, where both were compared; it decides nothing."""
    trails: tuple[TrailEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEntry(Control):
    """A control that ran."""

    trails: tuple[ObservedTrail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeEntry(Probe):
    """A probe; without trails, `skipped` or `bug` says why."""

    skipped: str = ""
    bug: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEntry:
    """The proxy, without its credentials."""

    url: str
    bypass: tuple[str, ...]
    ca_file: str | None = None
    carries: tuple[Traffic, ...] = tuple(Traffic)
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry:
    """The rest of the plan: what judging again needs besides the targets."""

    region: str | None
    cloud: str
    sources: tuple[Source, ...]
    resolvers: tuple[Resolver, ...]
    trust: Trust
    limits: Limits
    proxy: ProxyEntry | None
    plain_proxy: ProxyEntry | None = None
    probes: tuple[ProbeEntry, ...]
    controls: tuple[ControlPlan, ...]
    unsampled: tuple[Unsampled, ...]
    coverage: tuple[Coverage, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sweep: what was seen, and what it means."""

    schema: Literal["egressd.sweep/1"]
    run: RunEntry
    vantage: VantageEntry
    summary: SummaryEntry
    targets: tuple[TargetEntry, ...]
    findings: tuple[Finding, ...]
    controls: tuple[ControlEntry, ...]
    plan: PlanEntry
    baseline: Baseline | None = None
    """What the sweep was measured against."""
    changes: SweepDiff | None = None
    """What changed since then."""


# Read by pydantic for the whole tree: the values below are plain dataclasses of the model.
Report.__pydantic_config__ = {"strict": True, "allow_inf_nan": False}  # type: ignore[attr-defined]  # ours


@cache
def report_adapter() -> TypeAdapter[Report]:
    """Return what writes a report; building it takes a while."""
    return TypeAdapter(Report)


@cache
def report_validator() -> SchemaValidator:
    """Return what reads a report. It stops at the first bad item: a hostile file has millions."""
    return SchemaValidator(_hasten(report_adapter().core_schema))


def parse_report(text: str) -> Report:
    """Read the text of a report.

    Raises:
        ReportFileError: it is too big, or not a report; the first thing that is wrong is named.
    """
    if len(text) > MAX_CHARACTERS or text.count("{") + text.count("[") > MAX_VALUES:
        raise ReportFileError(f"too big: more than {MAX_CHARACTERS} characters or {MAX_VALUES} objects")
    if not text.strip():
        raise ReportFileError("it is empty")
    try:
        report: Report = report_validator().validate_json(text)
    except ValidationError as error:
        raise ReportFileError(_complaint(error)) from None
    return report


def _hasten(schema: Any) -> Any:
    """Ask every collection of a core schema to stop at its first bad item."""
    if isinstance(schema, list):
        return [_hasten(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: value if key == "metadata" else _hasten(value) for key, value in schema.items()}
    return inner | {"fail_fast": True} if inner.get("type") in {"tuple", "list", "dict"} else inner


def _complaint(error: ValidationError) -> str:
    """Name the first thing that is wrong, without showing more than its place."""
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return _not_json(first["msg"].removeprefix("Invalid JSON: ")[:100])
    if first["loc"] == ("schema",) and _OTHER_SWEEP.fullmatch(str(first["input"])):
        return f"it is {first['input']}, and this egressd reads {SCHEMA}; use the version that wrote it"
    if first["loc"] in {(), ("schema",)}:
        return f'not a report: its schema is not "{SCHEMA}"'
    return f"{render_path(first['loc'])[:200]}: {first['msg'][:1].lower()}{first['msg'][1:200]}"


def _not_json(why: str) -> str:
    if why.startswith("EOF"):
        return f"it ends too soon, so it was cut off or is still being written ({why})"
    return f"not JSON, which --format json writes ({why})"
