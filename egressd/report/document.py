"""The types of the JSON report, `egressd.sweep/1`, and parsing of untrusted report files.

`sweep-1.schema.json` is generated from these dataclasses. Facts are the model's own values. Trails are listed
under their targets: targets that share a probe repeat its trails, and each trail names its probe. Proxy
credentials are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic_core import SchemaValidator, ValidationError

from egressd.errors import ReportFileError
from egressd.model.endpoint import Expect, GatewayUse, Inspection, Need, Protocol, Role, SampleKind
from egressd.model.observation import Certificate, Observation, Phase, Timestamp, TlsObservation
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
from egressd.report.diff.sweep_diff import SweepDiff
from egressd.report.entries.plan import PlanEntry
from egressd.report.entries.rule import FindingEntry, RuleEntry
from egressd.yamlfile import render_path

SCHEMA = "egressd.sweep/1"
STREAM_START = '{"type":"start",'
"""How a stream of lines begins, which is no report."""
_BETWEEN_BRACKETS = re.compile(r"[^][{}]+")
_OTHER_SWEEP = re.compile(r"egressd\.sweep/[0-9]{1,9}")

MAX_CHARACTERS = 64 * 1024 * 1024
MAX_CONTAINERS = 500_000
"""Objects and lists; a sweep of 1,000 targets has a fifth of that."""
MAX_VALUES = 2_500_000
"""Objects, lists and what they hold, commas in texts included."""
MAX_ITEMS = 1_000
"""Of one list."""
MAX_ROWS = 50_000
"""Of a list of the plan or of what was concluded."""
_ROWS = frozenset(
    (
        *("targets", "findings", "probes", "controls", "unsampled", "coverage", "notes"),
        *("trails", "marks", "changes", "findings_opened", "findings_closed", "rules", "tags", "prefixes"),
    )
)
MAX_TEXT = 4096
"""Characters of a fact: judging repeats it in many sentences."""
MAX_LONG_TEXT = 64 * 1024
_LONG_TEXTS = frozenset({"advice", "evidence", "notes", "note"})


def _unknown_as_none(one: Observation) -> Observation:
    """Return an observation with None for what 0.1.0 wrote as "" where a certificate can't be read."""
    if not isinstance(one, TlsObservation) or all(
        held.key and held.not_before and held.not_after for held in one.chain
    ):
        return one
    return replace(one, chain=tuple(_certificate(held) for held in one.chain))


def _certificate(one: Certificate) -> Certificate:
    found = replace(one, not_before=one.not_before or None, not_after=one.not_after or None)
    if one.key != "":  # it was parsed: an empty subject is one
        return found
    return replace(found, subject=None, issuer=None, serial=None, key=None, signature=None)


AnyObservation = Annotated[Observation, Field(discriminator="phase"), AfterValidator(_unknown_as_none)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """The catalog of the plan."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageEntry:
    """The host that the sweep was made from."""

    host: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryEntry(OutcomeCounts):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEntry:
    """Where the sample host of the endpoint comes from."""

    kind: SampleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry(Verdict):
    """The verdict from one source, along one path."""

    source: str
    path: str = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedTrail(Trail):
    """The observations of one trail, in order; only the last one can have failed."""

    observations: tuple[AnyObservation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry(ObservedTrail):
    """A trail and its probe."""

    probe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTarget:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEntry(JudgedTarget):
    """A judged target and its trails."""

    trails: tuple[TrailEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEntry(Control):
    """A control that ran."""

    trails: tuple[ObservedTrail, ...]
    subject_trails: tuple[ObservedTrail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One sweep: facts and verdicts."""

    schema: Literal["egressd.sweep/1"]
    run: RunEntry
    vantage: VantageEntry
    summary: SummaryEntry
    targets: tuple[TargetEntry, ...]
    findings: tuple[FindingEntry, ...]
    controls: tuple[ControlEntry, ...]
    plan: PlanEntry
    rules: tuple[RuleEntry, ...] = ()
    """The rules that all failures ask for, those that no finding explains included."""
    baseline: Baseline | None = None
    """The baseline of the sweep."""
    changes: SweepDiff | None = None
    """Changes since the baseline."""


# pydantic applies it to the whole tree, which consists of plain dataclasses.
Report.__pydantic_config__ = {"strict": True, "allow_inf_nan": False, "serialize_by_alias": True}  # type: ignore[attr-defined]  # ours


@cache
def report_adapter() -> TypeAdapter[Report]:
    """Return the serializer of reports; building it is slow."""
    return TypeAdapter(Report)


@cache
def report_validator() -> SchemaValidator:
    """Return the validator of reports. It stops at the first bad item: a hostile file may have millions."""
    return SchemaValidator(_bounded(report_adapter().core_schema))


def parse_report(text: str) -> Report:
    """Parse the text of a report.

    Raises:
        ReportFileError: it is too big or not a report; the message names the first error.
    """
    if _is_too_big(text):
        raise ReportFileError(
            f"too big: more than {MAX_CHARACTERS} characters, {MAX_CONTAINERS} objects or {MAX_VALUES} values"
        )
    if not text.strip():
        raise ReportFileError("it is empty")
    if text.startswith(STREAM_START):
        raise ReportFileError("it is a stream of --format jsonl; a report is written with --format json")
    try:
        report: Report = report_validator().validate_json(text)
    except ValidationError as error:
        raise ReportFileError(_first_error(error)) from None
    return report


def _is_too_big(text: str) -> bool:
    """Whether a text has too much to be parsed, which takes many times the memory of the text."""
    containers = text.count("{") + text.count("[")
    if len(text) > MAX_CHARACTERS or containers > MAX_CONTAINERS:
        return True
    values = (text.count(",", *part.span()) for part in _BETWEEN_BRACKETS.finditer(text))
    longest = MAX_ROWS + MAX_LONG_TEXT
    return containers + sum(MAX_VALUES if one > longest else one for one in values) > MAX_VALUES


def _bounded(schema: Any, name: str = "") -> Any:
    """Set `fail_fast` and a limit on every collection and text of a core schema; `name` is the field's."""
    if isinstance(schema, list):
        return [_bounded(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "dataclass-field":
        name = schema["name"]
    inner = {key: value if key == "metadata" else _bounded(value, name) for key, value in schema.items()}
    match inner.get("type"):
        case "tuple" | "list" | "dict":
            return inner | {"max_length": MAX_ROWS if name in _ROWS else MAX_ITEMS, "fail_fast": True}
        case "str":
            return inner | {"max_length": MAX_LONG_TEXT if name in _LONG_TEXTS else MAX_TEXT}
        case _:
            return inner


def _first_error(error: ValidationError) -> str:
    """Describe the first error by its place; the content is not shown."""
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
