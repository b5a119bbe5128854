"""The schema of catalog files: keys, types and single values.

Checks between values (a sample and its pattern, an id and all others) are in `check.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from egressd.model.endpoint import (
    Cloud,
    Direction,
    Forwarding,
    Inspection,
    Need,
    Protocol,
    Role,
)
from egressd.yamlschema import StrictModel, matching, parse_ports

_NAME = "must be lower-case letters, digits and `-`"
OWN_PROFILE = "own"
"""Stands for the file's own profile where `gateway` is one word."""
_DATE = r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?"
_HOST = "must be a host in lower case, with `*` or {placeholder} at most: no scheme, port or path"

Name = Annotated[str, matching(r"[a-z0-9][a-z0-9-]{0,63}", _NAME)]
Word = Annotated[str, matching(r"[a-z0-9][a-z0-9_-]{0,63}", _NAME)]
Key = Annotated[str, matching(r"[a-z][a-z0-9_]{0,63}", "must be lower-case letters, digits and `_`")]
Tag = Annotated[
    str, matching(r"[A-Za-z][A-Za-z0-9]{0,62}(\.[A-Za-z0-9]+)?", "must be a service tag such as AzureMonitor")
]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Host = Annotated[str, matching(r"(?:[a-z0-9_.*-]|\{[a-z][a-z0-9_]*\}){1,253}", _HOST)]
UrlPath = Annotated[str, matching(r"/[!-~]{0,499}", "must start with `/` and hold no spaces")]
Date = Annotated[str, matching(_DATE, "must be a date such as 2026-11-20, or a month such as 2026-11")]
Status = Annotated[int, Field(ge=100, le=599)]
MediaType = Annotated[str, matching(r"[a-z0-9.+-]+/[a-z0-9.+-]+", "must be a media type such as text/html")]
Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "must be 64 lower-case hex digits")]
Commit = Annotated[str, matching(r"[0-9a-f]{7,40}", "must be 7 to 40 lower-case hex digits")]


class ExpectRow(StrictModel):
    """What a right answer looks like."""

    status: list[Status] = []
    content_type: MediaType | None = None
    not_content_type: MediaType | None = None
    der: bool = False
    sha256: Sha256 | None = None
    min_bytes: Annotated[int, Field(ge=1)] | None = None


class SamplesRow(StrictModel):
    """How hosts are found for a wildcard."""

    documented: list[Host] = []
    templated: list[Host] = []
    templated_in: list[Word] = []
    derived: list[Host] = []
    discovered: Name | None = None
    random: bool = False


class ProvenanceRow(StrictModel):
    """The document a row was read from, by its key in the file."""

    document: Text


class CloudRow(StrictModel):
    """What differs in one cloud."""

    need: Annotated[Need, Field(strict=False)] | None = None
    condition: Text | None = None
    feature: Name | None = None
    since: Date | None = None
    until: Date | None = None
    provenance: ProvenanceRow | None = None


def _by_name(clouds: object) -> object:
    """Read a list of clouds as a mapping in which nothing differs."""
    if isinstance(clouds, list) and all(isinstance(one, str) for one in clouds):
        return {name: {} for name in clouds}
    return clouds


def _by_profile(word: object) -> object:
    """Read one word as that of the file's own profile."""
    return {OWN_PROFILE: word} if isinstance(word, str) else word


Ports = Annotated[tuple[int, int | None], BeforeValidator(parse_ports)]
CloudName = Annotated[Cloud, Field(strict=False)]
ForwardingName = Annotated[Forwarding, Field(strict=False)]


class EndpointRow(StrictModel):
    """One row, defaults included."""

    service: Text
    pattern: Host
    port: Ports | None = None
    protocol: Annotated[Protocol, Field(strict=False)]
    roles: Annotated[list[Annotated[Role, Field(strict=False)]], Field(min_length=1)]
    need: Annotated[Need, Field(strict=False)]
    condition: Text | None = None
    feature: Name | None = None
    direction: Annotated[Direction, Field(strict=False)] = Direction.OUTBOUND
    gateway: Annotated[dict[Name, ForwardingName], BeforeValidator(_by_profile)] = {}
    one_of: Name | None = None
    regions: list[Word] = []
    service_tags: list[Tag] = []
    purpose: Text
    inspection: Annotated[Inspection, Field(strict=False)] = Inspection.TOLERATED
    private_link: bool = False
    internal: bool = False
    unprobed: Text | None = None
    deep: bool = False
    path: UrlPath | None = None
    paths: list[UrlPath] = []
    expect: ExpectRow = ExpectRow()
    samples: SamplesRow = SamplesRow()
    clouds: Annotated[dict[CloudName, CloudRow], BeforeValidator(_by_name), Field(min_length=1)] = {
        Cloud.PUBLIC: CloudRow()
    }
    since: Date | None = None
    until: Date | None = None
    provenance: ProvenanceRow


class InclusionRow(StrictModel):
    """What must be in use for an included profile to be required."""

    feature: Name
    condition: Text


class ProfileHeader(StrictModel):
    """The product of a file."""

    name: Name
    title: Text
    summary: Text
    audience: Text | None = None
    includes: list[Name] = []
    include_conditions: dict[Name, InclusionRow] = {}
    regions: dict[CloudName, Annotated[list[Word], Field(min_length=1)]] = {}
    offline_limit_days: Annotated[int, Field(ge=1)] | None = None


class DocumentRow(StrictModel):
    """A document rows were read from."""

    title: Text
    path: Text
    date: Date | None = None
    commit: Commit | None = None


class ProfileFile(StrictModel):
    """A profile file; its rows are judged one by one."""

    schema_: Annotated[Literal["egressd.catalog/1"], Field(alias="schema")]
    profile: ProfileHeader
    documents: dict[str, DocumentRow] = {}
    defaults: dict[str, object] = {}
    endpoints: list[dict[str, object]] = []


class RegionRow(StrictModel):
    """A region and its codes."""

    name: Word
    cloud: Annotated[Cloud, Field(strict=False)]
    his: Word | None = None
    gas: Word | None = None
    values: dict[Key, Word] = {}


class DiscoveryRow(StrictModel):
    """A call that expands a wildcard."""

    name: Name
    cloud: Annotated[Cloud, Field(strict=False)]
    host: Host
    path: UrlPath
    answer: Literal["json-hosts", "his-region"]


class RegionsFile(StrictModel):
    """regions.yaml."""

    schema_: Annotated[Literal["egressd.regions/1"], Field(alias="schema")]
    revision: Date
    regions: list[RegionRow]
    discoveries: list[DiscoveryRow] = []


class FeatureRow(StrictModel):
    """A feature that conditional rows depend on."""

    name: Name
    title: Text


class FeaturesFile(StrictModel):
    """features.yaml."""

    schema_: Annotated[Literal["egressd.features/1"], Field(alias="schema")]
    features: list[FeatureRow]


VALID_ROW: dict[str, object] = {
    "service": "any",
    "pattern": "any.example",
    "port": 443,
    "protocol": "https",
    "roles": ["machine"],
    "need": "required",
    "purpose": "any",
    "provenance": {"document": "any"},
}
"""A valid row, to validate defaults without reporting what they leave out."""
