"""`--http.config.file`: TLS, credentials and proxy of a client, in the format of Prometheus' `http_config`.

Keys of the format that can't be honoured are rejected: a security setting must not be ignored silently.
Relative paths start at the folder of the file. No message shows a value that may be a secret.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from egressd.errors import ConfigError
from egressd.fields.files import read_secret
from egressd.fields.parse import parse_proxy_url
from egressd.yamlfile import Document, KeyPath, read_text, read_yaml
from egressd.yamlschema import StrictModel, problems_of

RESERVED = frozenset(
    (
        *("authorization", "host", "content-encoding", "content-length", "content-type", "user-agent"),
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate"),
        *("accept-encoding", "transfer-encoding", "te", "trailer", "upgrade"),
    )
)
"""Headers that Prometheus refuses in `http_headers`, and those that frame a message."""


class HttpConfig(Struct, frozen=True, kw_only=True):
    """How a Prometheus is reached; the defaults without a file."""

    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request to the host that is asked, and to no other: credentials among them."""
    secrets: tuple[str, ...] = ()
    """Texts that nothing may show."""
    ca_file: Path | None = None
    """The roots of the server's certificate; None: those of the system."""
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    """The name that the certificate must be for; None: the host of the URL."""
    insecure_skip_verify: bool = False
    follow_redirects: bool = True
    proxy: str | None = None
    """`scheme://host:port`; None: direct, whatever the environment says."""


def read_http_config(path: Path) -> HttpConfig:
    """Read a file, and the secrets that it names.

    Raises:
        ConfigError: all of its mistakes, as `file:line: key.path: message`.
    """
    document = read_yaml(read_text(path), str(path))
    try:
        file = _File.model_validate({} if document.data is None else document.data)
    except ValidationError as error:
        raise ConfigError((*document.problems, *problems_of(error, document, model=_File))) from None
    problems = (*document.problems, *_cross(file, document))
    if problems:
        raise ConfigError(problems)
    return _convert(file, document, path.parent)


def _secret_text(given: object) -> object:
    """Refuse what is no text without showing it."""
    if not isinstance(given, str):
        raise ValueError("must be text; put it in quotes, or into a file")  # noqa: TRY004 - pydantic's way
    if not given or not given.isprintable():
        raise ValueError("must be one printable line that is not empty")
    return given


def _user_name(text: str) -> str:
    if ":" in text or not text.isprintable():
        raise ValueError("must be one printable line without a colon")
    return text


def _scheme(text: str) -> str:
    if not text.isascii() or not text.isalnum():
        raise ValueError("must be a word such as Bearer")
    if text.lower() == "basic":
        raise ValueError("cannot be Basic; use basic_auth")
    return text


_Text = Annotated[str, Field(min_length=1)]
_Secret = Annotated[str, BeforeValidator(_secret_text)]
_NO_REF = "is not supported: egressd has no secret manager; name a file"
_OLD = "is not supported; write authorization with credentials"
_TLS_IN_FILE = "is not supported; name a file in"


class _BasicAuth(StrictModel):
    hints: ClassVar[dict[str, str]] = {
        "username_file": "is not supported; write the name in username",
        "username_ref": _NO_REF,
        "password_ref": _NO_REF,
    }
    username: Annotated[str, Field(min_length=1), AfterValidator(_user_name)]
    password: _Secret | None = None
    password_file: _Text | None = None


class _Authorization(StrictModel):
    hints: ClassVar[dict[str, str]] = {"credentials_ref": _NO_REF}
    type: Annotated[str, AfterValidator(_scheme)] = "Bearer"
    credentials: _Secret | None = None
    credentials_file: _Text | None = None


class _Tls(StrictModel):
    hints: ClassVar[dict[str, str]] = {
        "ca": f"{_TLS_IN_FILE} ca_file",
        "cert": f"{_TLS_IN_FILE} cert_file",
        "key": f"{_TLS_IN_FILE} key_file",
        "min_version": "is not supported: TLS 1.2 and later are spoken",
        "max_version": "is not supported: TLS 1.2 and later are spoken",
        **dict.fromkeys(("ca_ref", "cert_ref", "key_ref"), _NO_REF),
    }
    ca_file: _Text | None = None
    cert_file: _Text | None = None
    key_file: _Text | None = None
    server_name: _Text | None = None
    insecure_skip_verify: bool = False


class _Header(StrictModel):
    values: list[_Secret] = []
    secrets: list[_Secret] = []
    files: list[_Text] = []


class _File(StrictModel):
    hints: ClassVar[dict[str, str]] = {
        "oauth2": "is not supported; write authorization with credentials_file",
        "bearer_token": _OLD,
        "bearer_token_file": _OLD,
        "no_proxy": "is not supported; leave proxy_url out to go direct",
        "proxy_from_environment": "is not supported; name the proxy in proxy_url",
        "proxy_connect_header": "is not supported",
    }
    basic_auth: _BasicAuth | None = None
    authorization: _Authorization | None = None
    tls_config: _Tls | None = None
    follow_redirects: bool = True
    enable_http2: bool = True
    """Taken and not needed: egressd asks by HTTP/1.1."""
    proxy_url: Annotated[str, AfterValidator(parse_proxy_url)] | None = None
    http_headers: dict[str, _Header] = {}


def _cross(file: _File, document: Document) -> tuple[str, ...]:
    """Check rules across keys."""
    found = (*_login_problems(file), *_tls_problems(file.tls_config), *_header_problems(file))
    return tuple(f"{document.where(path)}: {problem}" for path, problem in found)


def _login_problems(file: _File) -> Iterator[tuple[KeyPath, str]]:
    basic, bearer = file.basic_auth, file.authorization
    if basic is not None and bearer is not None:
        yield ("authorization",), "cannot stand beside basic_auth"
    if basic is not None and (basic.password is None) == (basic.password_file is None):
        yield ("basic_auth",), "needs either password_file or password"
    if bearer is not None and (bearer.credentials is None) == (bearer.credentials_file is None):
        yield ("authorization",), "needs either credentials_file or credentials"


def _tls_problems(tls: _Tls | None) -> Iterator[tuple[KeyPath, str]]:
    if tls is not None and (tls.cert_file is None) != (tls.key_file is None):
        yield ("tls_config",), "needs cert_file and key_file, or neither"
    if tls is not None and tls.insecure_skip_verify and tls.ca_file is not None:
        yield ("tls_config", "ca_file"), "has no effect beside insecure_skip_verify"


def _header_problems(file: _File) -> Iterator[tuple[KeyPath, str]]:
    for name, one in file.http_headers.items():
        path = ("http_headers", name)
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            yield path, "is no name of a header"
        elif name.lower() in RESERVED:
            yield path, "cannot be set here"
        elif not (one.values or one.secrets or one.files):
            yield path, "needs values, secrets or files"


def _convert(file: _File, document: Document, folder: Path) -> HttpConfig:
    """Return the values; secrets are read now. Raises ConfigError."""
    reader = _SecretReader(document, folder)
    headers = (*reader.login(file), *reader.headers(file))
    if reader.problems:
        raise ConfigError(tuple(reader.problems))
    tls = file.tls_config or _Tls()
    return HttpConfig(
        headers=headers,
        secrets=tuple(reader.secrets),
        ca_file=_in(folder, tls.ca_file),
        cert_file=_in(folder, tls.cert_file),
        key_file=_in(folder, tls.key_file),
        server_name=tls.server_name,
        insecure_skip_verify=tls.insecure_skip_verify,
        follow_redirects=file.follow_redirects,
        proxy=file.proxy_url,
    )


def _in(folder: Path, name: str | None) -> Path | None:
    return folder / name if name is not None else None


class _SecretReader:
    """Makes headers of what the file holds and names; takes note of secrets and problems."""

    def __init__(self, document: Document, folder: Path) -> None:
        self._document, self._folder = document, folder
        self.secrets: list[str] = []
        self.problems: list[str] = []

    def login(self, file: _File) -> Iterator[tuple[str, str]]:
        """Yield the `Authorization` header, if there is one."""
        if (basic := file.basic_auth) is not None:
            password = self._secret(basic.password, basic.password_file, ("basic_auth", "password_file"))
            word = base64.b64encode(f"{basic.username}:{password}".encode()).decode("ascii")
            self.secrets.append(word)
            yield "Authorization", f"Basic {word}"
        elif (bearer := file.authorization) is not None:
            path = ("authorization", "credentials_file")
            secret = self._secret(bearer.credentials, bearer.credentials_file, path)
            yield "Authorization", f"{bearer.type} {secret}"

    def headers(self, file: _File) -> Iterator[tuple[str, str]]:
        """Yield what `http_headers` holds."""
        for name, one in file.http_headers.items():
            for value in one.values:
                yield name, value
            for secret in one.secrets:
                yield name, self._secret(secret, None, ())
            for number, path in enumerate(one.files):
                yield name, self._secret(None, path, ("http_headers", name, "files", number))

    def _secret(self, given: str | None, path: str | None, key: KeyPath) -> str:
        try:
            secret = given if path is None else read_secret(self._folder / path)
        except ValueError as error:
            self.problems.append(f"{self._document.where(key)}: {error}")
            return ""
        self.secrets.append(secret or "")
        return secret or ""
