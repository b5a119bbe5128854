"""The kinds of value that alerts and receivers are configured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo

from egressd.config.alerts import words
from egressd.fields import files
from egressd.fields.parse import config_duration, parse_proxy_url
from egressd.fields.types import Duration, TypeName, certificates_path, one_or_many, secret_path
from egressd.model.notification import Severity


def lasting(low: float, high: float) -> AfterValidator:
    """Ask for a duration between two others, in seconds."""

    def check(seconds: float) -> float:
        if not low <= seconds <= high:
            raise ValueError(f"must be from {config_duration(low)} to {config_duration(high)}")
        return seconds

    return AfterValidator(check)


def secret_file(text: str, info: ValidationInfo) -> str:
    """Take a file that holds a secret; a URL in its place is refused without being shown."""
    if "://" in text:
        raise ValueError("must be the path of a file, not a URL; write the URL into that file")
    return secret_path(text, info)


def _url_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    read_url_file(Path(path))
    return path


def _https_file(text: str, info: ValidationInfo) -> str:
    path = _url_file(text, info)
    if words.is_exposed(read_url_file(Path(path))):
        raise ValueError(f"cannot use {path}: the URL in it must start with https://")
    return path


def _token_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    token = files.read_secret(Path(path))
    if not token.isascii() or " " in token:
        raise ValueError(f"cannot use {path}: a token has no spaces and nothing but ASCII")
    return path


def read_url_file(path: Path) -> str:
    """Return the URL in a file. Raises ValueError; the URL is never part of the message."""
    try:
        return words.read_url(files.read_secret(path))
    except ValueError as error:
        said = str(error)
        raise ValueError(
            f"cannot use {path}: the URL in it {said}" if said.startswith("must") else said
        ) from None


def _plain_proxy(text: str) -> str:
    url = parse_proxy_url(text)
    if not url.startswith("http:"):
        raise ValueError("must start with http://: notices are given to a proxy in plain HTTP")
    return url


def _checked_server(text: str) -> str:
    words.read_mail_server(text)
    return text


def _checked_syslog(text: str) -> str:
    words.read_syslog_address(text)
    return text


def _known_facility(text: str) -> str:
    if text not in words.FACILITIES:
        raise ValueError(f"must be a facility of syslog: {', '.join(words.FACILITIES)}")
    return text


Url = Annotated[str, AfterValidator(words.read_url), TypeName(text="URL")]
BaseUrl = Annotated[str, AfterValidator(words.read_base_url), TypeName(text="URL")]
BaseUrls = Annotated[
    list[BaseUrl],
    BeforeValidator(one_or_many),
    Field(min_length=1, max_length=10),
    TypeName(text="URL or list of URL"),
]
ProxyUrl = Annotated[str, AfterValidator(_plain_proxy), TypeName(text="URL")]
UrlFile = Annotated[str, AfterValidator(_url_file), TypeName(text="file")]
HttpsFile = Annotated[str, AfterValidator(_https_file), TypeName(text="file")]
SecretFile = Annotated[str, AfterValidator(secret_file), TypeName(text="file")]
TokenFile = Annotated[str, AfterValidator(_token_file), TypeName(text="file")]
CaFile = Annotated[str, AfterValidator(certificates_path), TypeName(text="PEM file")]
LabelName = Annotated[str, AfterValidator(words.read_label_name), TypeName(text="label")]
Line = Annotated[str, AfterValidator(words.read_line), TypeName(text="text")]
Glob = Annotated[str, AfterValidator(words.read_glob), TypeName(text="pattern")]
Globs = Annotated[list[Glob], BeforeValidator(one_or_many), TypeName(text="pattern or list of pattern")]
Severities = Annotated[
    list[Annotated[Severity, Strict(False)]],
    BeforeValidator(one_or_many),
    TypeName(text="`critical`, `warning`, `info`, or a list of them"),
]
MailAddress = Annotated[str, AfterValidator(words.read_mail_address), TypeName(text="mail address")]
MailAddresses = Annotated[
    list[MailAddress],
    BeforeValidator(one_or_many),
    Field(min_length=1, max_length=50),
    TypeName(text="mail address or list of mail address"),
]
MailServer = Annotated[str, AfterValidator(_checked_server), TypeName(text="host or host:port")]
SyslogAddress = Annotated[
    str, AfterValidator(_checked_syslog), TypeName(text="path, udp://host:port or tcp://host:port")
]
Facility = Annotated[str, AfterValidator(_known_facility), TypeName(text="facility of syslog")]
Schedule = Annotated[str, AfterValidator(words.read_schedule), TypeName(text="five fields of cron")]
TimeZone = Annotated[str, AfterValidator(words.read_timezone), TypeName(text="IANA time zone")]
Timeout = Annotated[Duration, lasting(0.1, 300.0)]
Wait = Annotated[Duration, lasting(0.001, 600.0)]
Looks = Annotated[int, Field(ge=1, le=100)]
