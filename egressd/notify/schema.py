"""What the types of receiver have in common in `notify.receivers`, key by key.

The docstrings are the reference: `docs/configuration.md`. A type's own keys are in its module of `receivers`.
"""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from egressd.fields.checks import Problem, as_mapping, credential_problems
from egressd.fields.files import read_secret
from egressd.fields.parse import is_exposed, parse_proxy_url, parse_url
from egressd.fields.types import (
    BaseUrl,
    Duration,
    Name,
    TypeName,
    UserName,
    certificates_path,
    duration_between,
    one_or_many,
    reading_of,
    refuse_text,
    secret_path,
)
from egressd.model.notification import Feed, Receiver, Transport
from egressd.notify.transport.http import HttpTransport
from egressd.yamlfile import KeyPath
from egressd.yamlschema import StrictModel

IN_A_FILE = {
    key: f"a secret never stands here; put it alone into a file, and name that in {file}"
    for key, file in (
        ("password", "password_file"),
        ("bearer_token", "bearer_token_file"),
        ("token", "bearer_token_file"),
    )
}
SECRET_URL = {"url": "the URL is a secret; put it alone into a file, and name that in url_file"}


def secret_file(text: str, info: ValidationInfo) -> str:
    """Take a file that holds a secret; a URL in its place is refused without being shown."""
    if "://" in text:
        raise ValueError("must be the path of a file, not a URL; write the URL into that file")
    return secret_path(text, info)


def read_url_file(path: Path) -> str:
    """Return the URL in a file. Raises ValueError; the URL is never part of the message."""
    try:
        return parse_url(read_secret(path))
    except ValueError as error:
        message = str(error)
        raise ValueError(
            f"cannot use {path}: the URL in it {message}" if message.startswith("must") else message
        ) from None


def _url_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    if reading_of(info).host:
        read_url_file(Path(path))
    return path


def _https_file(text: str, info: ValidationInfo) -> str:
    path = _url_file(text, info)
    if reading_of(info).host and is_exposed(read_url_file(Path(path))):
        raise ValueError(f"cannot use {path}: the URL in it must start with https://")
    return path


def _token_file(text: str, info: ValidationInfo) -> str:
    path = secret_file(text, info)
    token = read_secret(Path(path)) if reading_of(info).host else "unread"
    if not token.isascii() or " " in token:
        raise ValueError(f"cannot use {path}: a token has no spaces and nothing but ASCII")
    return path


def _http_proxy(text: str) -> str:
    url = parse_proxy_url(text)
    if not url.startswith("http:"):
        raise ValueError("must start with http://: notifications are sent to a proxy by plain HTTP")
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


@dataclass(frozen=True, slots=True)
class UnreadTransport(Transport):
    """Stands for a transport whose files are on another host."""

    @property
    def place(self) -> str:
        """Return that it is not known."""
        return "a place that is not read"

    @property
    def advice(self) -> str:
        """Return what to do instead."""
        return "check the configuration on its own host"


class ProxySettings(StrictModel):
    """The proxy that notifications go through. The one under test is not used unless it is named here."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE

    url: ProxyUrl
    """`http://host:port`, without a user name or password."""
    username: UserName | None = None
    """Sent to the proxy only, with the password, as Basic credentials."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""


class ReceiverSettings(StrictModel):
    """A receiver of notifications."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE
    feed: ClassVar[Feed] = Feed.NOTICES

    name: Name
    """What routes, logs and metrics call it."""

    @classmethod
    def type_name(cls) -> str:
        """Return the value of `type` that selects these settings."""
        (name,) = get_args(cls.model_fields["type"].annotation)
        return str(name)

    @classmethod
    def problems(cls, data: dict[str, object], path: KeyPath) -> Iterator[Problem]:
        """Yield which keys contradict each other in the data as read; wrong types are reported elsewhere."""
        yield from credential_problems(data, path)
        yield from credential_problems(as_mapping(data.get("proxy")), (*path, "proxy"))

    @abstractmethod
    def transport(self) -> Transport:
        """Return how it is reached; secrets are read now.

        Raises:
            ValueError: a secret can't be read any more.
        """

    def receiver(self, *, unread: bool = False) -> Receiver:
        """Return the receiver; `unread`: without its files, to be looked at.

        Raises:
            ValueError: a secret can't be read any more.
        """
        shared = ("timeout", "queue", "send_resolved", "digest", "wait")
        given = {key: value for key, value in self if key in shared}
        transport = UnreadTransport() if unread else self.transport()
        return Receiver(name=self.name, type=self.type_name(), feed=self.feed, transport=transport, **given)


class HttpSettings(ReceiverSettings):
    """A receiver that is reached by HTTP."""

    timeout: Timeout = 10.0
    """What one delivery may take."""
    proxy: Annotated[ProxySettings, BeforeValidator(refuse_text)] | None = None
    """The proxy to go through; without it, direct, whatever the environment says."""
    ca_file: CaFile | None = None
    """The roots its certificate must lead to; without it, those of the system."""

    def http(self, *urls: str, secret: bool = False) -> HttpTransport:
        """Return how these URLs are reached."""
        proxy = self.proxy
        return HttpTransport(
            urls=urls,
            secret=secret,
            authorization=self.authorization(),
            proxy=proxy.url if proxy else None,
            proxy_authorization=_basic(proxy.username, proxy.password_file) if proxy else None,
            ca_file=self.ca_file,
        )

    def authorization(self) -> str | None:
        """Return the value of the `Authorization` header."""
        return None


class LoginSettings(HttpSettings):
    """A receiver that may ask for credentials."""

    username: UserName | None = None
    """For Basic credentials, with `password_file`."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""
    bearer_token_file: TokenFile | None = None
    """The file that holds a token, alone, on one line; instead of a user name."""

    @classmethod
    def problems(cls, data: dict[str, object], path: KeyPath) -> Iterator[Problem]:
        """Ask for one way to log in."""
        yield from super().problems(data, path)
        if data.get("bearer_token_file") is not None and data.get("username") is not None:
            yield (*path, "bearer_token_file"), "cannot stand beside username"

    def authorization(self) -> str | None:
        """Return the value of the `Authorization` header."""
        if self.bearer_token_file is not None:
            return f"Bearer {read_secret(Path(self.bearer_token_file))}"
        return _basic(self.username, self.password_file)


class UrlSettings(LoginSettings):
    """A receiver with one URL, which may be a secret."""

    url: Url | None = None
    """Where to. Either this or `url_file`."""
    url_file: UrlFile | None = None
    """The file that holds the URL, where that is a secret."""

    @classmethod
    def problems(cls, data: dict[str, object], path: KeyPath) -> Iterator[Problem]:
        """Ask for one URL."""
        yield from super().problems(data, path)
        url, url_file = (data.get(key) is not None for key in ("url", "url_file"))
        if not url and not url_file:
            yield path, "must have a url, or a url_file where the URL is a secret"
        elif url and url_file:
            yield (*path, "url_file"), "cannot stand beside url"

    def transport(self) -> HttpTransport:
        """Return how it is reached. Raises ValueError: a secret can't be read any more."""
        if self.url_file is not None:
            return self.http(read_url_file(Path(self.url_file)), secret=True)
        return self.http(self.url or "")


class QueueSettings(ReceiverSettings):
    """A receiver with a queue of its own, which outlives restarts."""

    queue: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """The most notifications that wait for it; beyond, the least urgent are dropped, and the next says how
    many."""
    send_resolved: bool = True
    """Whether it is notified when an alert is resolved."""


class DigestSettings(QueueSettings):
    """A receiver that people read."""

    digest: Annotated[int, Field(ge=1, le=1000)] = 5
    """More notifications than this that are due together are one message."""
    wait: Wait = 5.0
    """How long a notification waits for others to be sent with it."""


class ChannelSettings(DigestSettings, HttpSettings):
    """A channel of a chat, written to through a URL that is a secret."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE | SECRET_URL

    url_file: HttpsFile
    """The file that holds the webhook's URL: it gives access to the channel."""

    def transport(self) -> HttpTransport:
        """Return how it is reached. Raises ValueError: a secret can't be read any more."""
        return self.http(read_url_file(Path(self.url_file)), secret=True)


def _basic(username: str | None, password_file: str | None) -> str | None:
    if username is None or password_file is None:
        return None
    pair = f"{username}:{read_secret(Path(password_file))}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
