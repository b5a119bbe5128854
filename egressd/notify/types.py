"""The types of value that receivers are configured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from egressd.fields import files
from egressd.fields.parse import is_exposed, parse_proxy_url, parse_url
from egressd.fields.types import (
    BaseUrl,
    Duration,
    TypeName,
    certificates_path,
    duration_between,
    one_or_many,
    secret_path,
)


def secret_file(text: str, info: ValidationInfo) -> str:
    """Take a file that holds a secret; a URL in its place is refused without being shown."""
    if "://" in text:
        raise ValueError("must be the path of a file, not a URL; write the URL into that file")
    return secret_path(text, info)


def read_url_file(path: Path) -> str:
    """Return the URL in a file. Raises ValueError; the URL is never part of the message."""
    try:
        return parse_url(files.read_secret(path))
    except ValueError as error:
        said = str(error)
        raise ValueError(
            f"cannot use {path}: the URL in it {said}" if said.startswith("must") else said
        ) from None


def _url_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    read_url_file(Path(path))
    return path


def _https_file(text: str, info: ValidationInfo) -> str:
    path = _url_file(text, info)
    if is_exposed(read_url_file(Path(path))):
        raise ValueError(f"cannot use {path}: the URL in it must start with https://")
    return path


def _token_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    token = files.read_secret(Path(path))
    if not token.isascii() or " " in token:
        raise ValueError(f"cannot use {path}: a token has no spaces and nothing but ASCII")
    return path


def _http_proxy(text: str) -> str:
    url = parse_proxy_url(text)
    if not url.startswith("http:"):
        raise ValueError("must start with http://: notices are given to a proxy in plain HTTP")
    return url


Url = Annotated[str, AfterValidator(parse_url), TypeName(text="URL")]
BaseUrls = Annotated[
    list[BaseUrl],
    BeforeValidator(one_or_many),
    Field(min_length=1, max_length=10),
    TypeName(text="URL or list of URL"),
]
ProxyUrl = Annotated[str, AfterValidator(_http_proxy), TypeName(text="URL")]
UrlFile = Annotated[str, AfterValidator(_url_file), TypeName(text="file")]
HttpsFile = Annotated[str, AfterValidator(_https_file), TypeName(text="file")]
SecretFile = Annotated[str, AfterValidator(secret_file), TypeName(text="file")]
TokenFile = Annotated[str, AfterValidator(_token_file), TypeName(text="file")]
CaFile = Annotated[str, AfterValidator(certificates_path), TypeName(text="PEM file")]
Timeout = Annotated[Duration, duration_between(0.1, 300.0)]
Wait = Annotated[Duration, duration_between(0.001, 600.0)]
