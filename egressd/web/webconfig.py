"""`--web.config.file`: TLS, basic auth and headers in the format of Prometheus exporters.

Keys of the format that Python can't honour are rejected: a security setting must not be ignored silently.
Relative paths start at the folder of the file.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from msgspec import Struct
from pydantic import AfterValidator, Field, Strict, ValidationError

from egressd.errors import ConfigError
from egressd.yamlfile import Document, read_text, read_yaml
from egressd.yamlschema import StrictModel, problems_of

VERSIONS = ("TLS12", "TLS13")
_OLD_VERSIONS = ("TLS10", "TLS11")


class ClientAuth(StrEnum):
    """Client certificate policy; the values are Go's."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


class ServerTls(Struct, frozen=True, kw_only=True):
    """TLS settings of the server."""

    cert_file: Path
    key_file: Path
    client_auth: ClientAuth
    client_ca_file: Path | None
    client_allowed_sans: tuple[str, ...]
    min_version: str
    max_version: str
    """Of `VERSIONS`."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files to reload when they change."""
        return tuple(one for one in (self.cert_file, self.key_file, self.client_ca_file) if one)


class WebConfig(Struct, frozen=True, kw_only=True):
    """A web configuration; the defaults without a file."""

    tls: ServerTls | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: tuple[tuple[str, str], ...] = ()
    """User names and bcrypt hashes."""


def read_web_config(path: Path) -> WebConfig:
    """Read a file.

    Raises:
        ConfigError: all of its errors, as `file:line: key.path: message`.
    """
    document = read_yaml(read_text(path), str(path))
    rejected = (*document.problems, *_unsupported(document))
    try:
        file = _File.model_validate(
            {} if document.data is None else document.data, context={"folder": path.parent}
        )
    except ValidationError as error:
        found = [one for one in problems_of(error, document, model=_File) if not _is_rejected(one, rejected)]
        raise ConfigError((*rejected, *found)) from None
    problems = (*rejected, *_cross(file, document))
    if problems:
        raise ConfigError(problems)
    return _convert(file, path.parent)


_UNSUPPORTED = {
    ("rate_limit",): "is not supported; limit requests in front of egressd",
    ("tls_server_config", "cert"): "is not supported; name a file in cert_file",
    ("tls_server_config", "key"): "is not supported; name a file in key_file",
    ("tls_server_config", "client_ca"): "is not supported; name a file in client_ca_file",
    ("tls_server_config", "cipher_suites"): "is not supported: the names are Go's; OpenSSL's defaults hold",
    (
        "tls_server_config",
        "curve_preferences",
    ): "is not supported: the names are Go's; OpenSSL's defaults hold",
    ("tls_server_config", "prefer_server_cipher_suites"): "is not supported; OpenSSL's default holds",
}
"""Keys that other exporters have and this one can't honour."""

_HEADERS = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""Headers the format allows, with their allowed values; empty: any."""

_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_MOST_COST = 16
"""A login of cost 17 takes some ten seconds of processor time."""


def _hash(text: str) -> str:
    found = _BCRYPT.fullmatch(text)
    if found is None:
        raise ValueError('must be a bcrypt hash, as `htpasswd -nBC 10 ""` makes it')
    if int(found[1]) > _MOST_COST:
        raise ValueError(f"must have a bcrypt cost of at most {_MOST_COST}")
    return text


def _version(text: str) -> str:
    if text in _OLD_VERSIONS:
        raise ValueError(f"cannot be {text}: egressd serves TLS 1.2 and later")
    if text not in VERSIONS:
        raise ValueError(f"must be one of {', '.join(VERSIONS)}")
    return text


def _client_auth(text: str) -> ClientAuth:
    if text in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"):
        raise ValueError(
            f"cannot be {text}: OpenSSL, as Python offers it, takes no certificate without verifying it; "
            f"use {ClientAuth.IF_GIVEN} or {ClientAuth.REQUIRED}"
        )
    try:
        return ClientAuth(text) if text else ClientAuth.NONE
    except ValueError:
        raise ValueError(f"must be one of {', '.join(ClientAuth)}") from None


def _no_http2(wanted: bool) -> bool:  # noqa: FBT001 - pydantic calls it
    if wanted:
        raise ValueError("cannot be true: egressd serves HTTP/1.1 only; leave it out or set false")
    return wanted


_FileName = Annotated[str, Field(min_length=1)]
_Version = Annotated[str, AfterValidator(_version)]


class _Tls(StrictModel):
    cert_file: _FileName
    key_file: _FileName
    client_auth_type: Annotated[str, AfterValidator(_client_auth)] = ClientAuth.NONE
    client_ca_file: _FileName | None = None
    client_allowed_sans: list[Annotated[str, Field(min_length=1)]] = []
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"


class _Http(StrictModel):
    http2: Annotated[bool, AfterValidator(_no_http2)] = False
    headers: dict[str, str] = {}


class _File(StrictModel):
    tls_server_config: _Tls | None = None
    http_server_config: _Http = _Http()
    basic_auth_users: dict[Annotated[str, Strict()], Annotated[str, AfterValidator(_hash)]] = {}


def _unsupported(document: Document) -> tuple[str, ...]:
    """Return a problem for each key that can't be honoured."""
    return tuple(
        f"{document.where(path)}: {why}" for path, why in _UNSUPPORTED.items() if _has(document.data, path)
    )


def _has(data: object, path: tuple[str, ...]) -> bool:
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _is_rejected(problem: str, rejected: tuple[str, ...]) -> bool:
    """Whether a problem is about a key that was rejected with a better message."""
    place = problem.split(": ")[:2]
    return "unknown key" in problem and any(one.split(": ")[:2] == place for one in rejected)


def _cross(file: _File, document: Document) -> tuple[str, ...]:
    """Check rules across keys, and header and user names."""
    found: list[tuple[tuple[str, ...], str]] = [
        (("http_server_config", "headers", name), problem)
        for name, value in file.http_server_config.headers.items()
        if (problem := _header_problem(name, value))
    ]
    if file.tls_server_config:
        found += [(("tls_server_config", key), why) for key, why in _tls_problems(file.tls_server_config)]
    found += [
        (("basic_auth_users", name), "cannot be a user: a name has no colon and is not empty")
        for name in file.basic_auth_users
        if not name or ":" in name
    ]
    return tuple(f"{document.where(path)}: {problem}" for path, problem in found)


def _header_problem(name: str, value: str) -> str:
    if name not in _HEADERS:
        return f"cannot be set; the format allows {', '.join(_HEADERS)}"
    if _HEADERS[name] and value.lower() not in _HEADERS[name]:
        return f"must be {' or '.join(_HEADERS[name])}"
    return "" if value.isprintable() else "must be one printable line"


def _tls_problems(tls: _Tls) -> list[tuple[str, str]]:
    verifies = tls.client_auth_type != ClientAuth.NONE
    found = []
    if verifies and tls.client_ca_file is None:
        found.append(("client_auth_type", f"{tls.client_auth_type} needs client_ca_file"))
    if not verifies and tls.client_ca_file is not None:
        found.append(("client_ca_file", "has no effect without client_auth_type"))
    if not verifies and tls.client_allowed_sans:
        found.append(("client_allowed_sans", "has no effect without client_auth_type"))
    if tls.min_version > tls.max_version:
        found.append(("min_version", f"is above max_version ({tls.max_version})"))
    return found


def _convert(file: _File, folder: Path) -> WebConfig:
    return WebConfig(
        tls=_tls(file.tls_server_config, folder) if file.tls_server_config else None,
        headers=tuple(file.http_server_config.headers.items()),
        users=tuple(file.basic_auth_users.items()),
    )


def _tls(part: _Tls, folder: Path) -> ServerTls:
    return ServerTls(
        cert_file=folder / part.cert_file,
        key_file=folder / part.key_file,
        client_auth=ClientAuth(part.client_auth_type),
        client_ca_file=folder / part.client_ca_file if part.client_ca_file else None,
        client_allowed_sans=tuple(part.client_allowed_sans),
        min_version=part.min_version,
        max_version=part.max_version,
    )
