"""The field types of a configuration file: how each is checked, and its name in the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo

from egressd.fields import files, parse
from egressd.fields.service_tags import read_service_tags
from egressd.model.endpoint import Cloud, Direction, Inspection, Need, Protocol, Role
from egressd.model.settings import Family
from egressd.yamlschema import matching, parse_ports


class TypeName(Struct, frozen=True, kw_only=True):
    """The name of a type in the reference."""

    text: str


def resolve_path(text: str, info: ValidationInfo) -> Path:
    """Resolve a path against the folder of the configuration file."""
    if not text or "\0" in text:
        raise ValueError("must be the path of a file")
    return Path(reading_of(info).folder, text)


def reading_of(info: ValidationInfo) -> files.FileReading:
    """Return how files are treated in this validation."""
    found = (info.context or {}).get("reading")
    return found if isinstance(found, files.FileReading) else files.FileReading(folder=Path())


def readable_path(text: str, info: ValidationInfo) -> str:
    """Require a file that can be read."""
    path = resolve_path(text, info)
    if reading_of(info).host:
        files.check_readable(path)
    return str(path)


def service_tags_path(text: str, info: ValidationInfo) -> str:
    """Require a file of service tags."""
    path = resolve_path(text, info)
    if reading_of(info).host:
        read_service_tags(path)
    return str(path)


def folder_path(text: str, info: ValidationInfo) -> str:
    """Accept a folder, which may not exist yet."""
    return str(resolve_path(text, info))


def secret_path(text: str, info: ValidationInfo) -> str:
    """Require a file that holds a secret; the secret itself is read later."""
    path, reading = resolve_path(text, info), reading_of(info)
    if reading.host:
        files.read_secret(path)
        reading.secrets.append(path)
    return str(path)


def certificates_path(text: str, info: ValidationInfo) -> str:
    """Require a file of certificates in PEM."""
    path = resolve_path(text, info)
    if reading_of(info).host:
        files.check_certificates(path)
    return str(path)


def certificates_or(word: str) -> AfterValidator:
    """Accept this word, or a certificate file."""
    return AfterValidator(lambda text, info: text if text == word else certificates_path(text, info))


def documented_samples(given: object) -> object:
    """Accept a bare list of hosts as the `documented` ones."""
    return {"documented": given} if isinstance(given, list) else given


def checked_resolver(text: str) -> str:
    """Check a resolver; it stays as it is written."""
    return parse.parse_resolver(text).name


def checked_url_path(text: str) -> str:
    """Check the path of a URL."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must start with / and hold no spaces")
    return text


def duration_between(low: float, high: float) -> AfterValidator:
    """Ask for a duration between two others, in seconds."""

    def check(seconds: float) -> float:
        if not low <= seconds <= high:
            raise ValueError(f"must be from {parse.config_duration(low)} to {parse.config_duration(high)}")
        return seconds

    return AfterValidator(check)


def one_printable_line(text: str) -> str:
    """Require text that every terminal and page shows as it is."""
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def one_or_many(value: object) -> object:
    """Accept one text as a list of one."""
    return [value] if isinstance(value, str) else value


def refuse_text(value: object) -> object:
    """Refuse a text in place of a mapping, without showing it: it may be a URL with a secret."""
    if isinstance(value, str):
        raise ValueError("must be a mapping of keys to values")  # noqa: TRY004 - pydantic wants ValueError
    return value


Duration = Annotated[float, BeforeValidator(parse.parse_duration), TypeName(text="duration")]
Address = Annotated[str, AfterValidator(parse.normalize_address), TypeName(text="IP address")]
Host = Annotated[str, AfterValidator(parse.parse_host), TypeName(text="host")]
Name = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9._-]{0,63}",
        "must be 1 to 64 of a-z, 0-9, dot, _ and -, starting with a letter or digit",
    ),
    TypeName(text="name"),
]
Value = Annotated[
    str,
    matching(r"[A-Za-z0-9._:-]{1,253}", "must be a host, an address or a part of one"),
    TypeName(text="text"),
]
Values = Annotated[list[Value], BeforeValidator(one_or_many), TypeName(text="text or list of text")]
Line = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(one_printable_line), TypeName(text="text")
]
UserName = Annotated[
    str, matching(r"[^:\x00-\x1f\x7f]{1,255}", "must be a name without a colon"), TypeName(text="text")
]
Port = Annotated[int, Field(ge=1, le=65535), TypeName(text="port")]
CloudName = Annotated[Cloud, Strict(False)]
FamilyName = Annotated[Family, Strict(False)]
RoleName = Annotated[Role, Strict(False)]
NeedName = Annotated[Need, Strict(False)]
InspectionName = Annotated[Inspection, Strict(False)]
ProtocolName = Annotated[Protocol, Strict(False)]
DirectionName = Annotated[Direction, Strict(False)]
Ports = Annotated[
    tuple[int, int | None], BeforeValidator(parse_ports), TypeName(text="port, or a range as text")
]
UrlPath = Annotated[str, AfterValidator(checked_url_path), TypeName(text="path")]
BaseUrl = Annotated[str, AfterValidator(parse.parse_base_url), TypeName(text="URL")]
