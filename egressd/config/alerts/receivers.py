"""`notify:`, key by key: one shape for each type of receiver, and the routes to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from egressd.config.alerts.kinds import (
    BaseUrls,
    CaFile,
    Facility,
    Globs,
    HttpsFile,
    MailAddress,
    MailAddresses,
    MailServer,
    ProxyUrl,
    SecretFile,
    Severities,
    SyslogAddress,
    Timeout,
    TokenFile,
    Url,
    UrlFile,
    Wait,
)
from egressd.fields.types import Name, UserName, one_or_many, refuse_text
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


class ProxyPart(StrictModel):
    """The proxy that notices go through. The one under test is not used unless it is named here."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE

    url: ProxyUrl
    """`http://host:port`, without a user name or password."""
    username: UserName | None = None
    """Sent to the proxy only, with the password, as Basic credentials."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""


class ReceiverPart(StrictModel):
    """One place where notices go."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE

    name: Name
    """What routes, logs and metrics call it."""


class HttpPart(ReceiverPart):
    """A receiver that is reached by HTTP."""

    timeout: Timeout = 10.0
    """What one delivery may take."""
    proxy: Annotated[ProxyPart, BeforeValidator(refuse_text)] | None = None
    """The proxy to go through; without it, direct, whatever the environment says."""
    ca_file: CaFile | None = None
    """The roots its certificate must lead to; without it, those of the system."""


class LoginPart(HttpPart):
    """A receiver that may ask who is there."""

    username: UserName | None = None
    """For Basic credentials, with `password_file`."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""
    bearer_token_file: TokenFile | None = None
    """The file that holds a token, alone, on one line; instead of a user name."""


class QueuePart(ReceiverPart):
    """A receiver with a queue of its own, which outlives restarts."""

    queue: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """The most notices that wait for it; beyond, the oldest are dropped, counted, and confessed to it."""
    send_resolved: bool = True
    """Whether it is told when an alert is over."""


class DigestPart(QueuePart):
    """A receiver that people read."""

    digest: Annotated[int, Field(ge=1, le=1000)] = 5
    """More notices than this that are due together are one message."""
    wait: Wait = 5.0
    """How long a notice waits for others that come with it."""


class AlertmanagerPart(LoginPart):
    """Prometheus' Alertmanager: all open alerts, again and again, to every peer."""

    type: Literal["alertmanager"]
    """Alertmanager's API, version 2."""
    urls: BaseUrls
    """Every peer, not a load balancer in front of them; the path of `--web.route-prefix` included."""


class WebhookPart(QueuePart, LoginPart):
    """A URL that takes a POST."""

    type: Literal["webhook"]
    """The JSON of Alertmanager's own webhooks, version 4."""
    url: Url | None = None
    """Where to. Either this or `url_file`."""
    url_file: UrlFile | None = None
    """The file that holds the URL, where that is a secret."""


class CloudEventsPart(QueuePart, LoginPart):
    """A URL that takes CloudEvents."""

    type: Literal["cloudevents"]
    """CloudEvents 1.0 in JSON."""
    url: Url | None = None
    """Where to. Either this or `url_file`."""
    url_file: UrlFile | None = None
    """The file that holds the URL, where that is a secret."""


class SlackPart(DigestPart, HttpPart):
    """A channel in Slack."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE | SECRET_URL

    type: Literal["slack"]
    """An incoming webhook of Slack, or of what understands the same."""
    url_file: HttpsFile
    """The file that holds the webhook's URL: whoever has it can write to the channel."""


class TeamsPart(DigestPart, HttpPart):
    """A channel in Microsoft Teams."""

    hints: ClassVar[Mapping[str, str]] = IN_A_FILE | SECRET_URL

    type: Literal["teams"]
    """A workflow of Teams that posts adaptive cards."""
    url_file: HttpsFile
    """The file that holds the workflow's URL: whoever has it can write to the channel."""


class EmailPart(DigestPart):
    """Mail."""

    type: Literal["email"]
    """SMTP."""
    server: MailServer
    """The mail server; the port follows `security`: 587, 465 or 25."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` asks for TLS and goes no further without it; `tls` starts with it; `none` is plain text."""
    sender: MailAddress = Field(alias="from")
    """Whom it is from."""
    to: MailAddresses
    """Whom it goes to."""
    username: UserName | None = None
    """For the server, with `password_file`."""
    password_file: SecretFile | None = None
    """The file that holds the password, alone, on one line."""
    ca_file: CaFile | None = None
    """The roots the server's certificate must lead to; without it, those of the system."""
    timeout: Timeout = 10.0
    """What one delivery may take."""


class JournaldPart(QueuePart):
    """The journal of this host, with fields to search by."""

    type: Literal["journald"]
    """systemd's native protocol."""


class SyslogPart(QueuePart):
    """A syslog server."""

    type: Literal["syslog"]
    """RFC 5424."""
    address: SyslogAddress = "/dev/log"
    """Where to; port 514 unless one is given. By `udp` nobody notices what is lost."""
    facility: Facility = "daemon"
    """The facility messages are filed under."""
    timeout: Timeout = 10.0
    """What one delivery may take."""


class HeartbeatPart(LoginPart):
    """A URL that is called whenever a sweep was completed, so that somebody else notices when none is."""

    type: Literal["heartbeat"]
    """A GET, and nothing of alerts: it belongs into no route."""
    url: Url | None = None
    """What to call. Either this or `url_file`."""
    url_file: UrlFile | None = None
    """The file that holds the URL, where that is a secret."""


Receivers = Annotated[
    AlertmanagerPart
    | WebhookPart
    | CloudEventsPart
    | SlackPart
    | TeamsPart
    | EmailPart
    | JournaldPart
    | SyslogPart
    | HeartbeatPart,
    Field(discriminator="type"),
]


class MatchPart(StrictModel):
    """Which alerts a route is for: each key that is given must fit."""

    severity: Severities = []
    """How urgent."""
    profile: Globs = []
    """A product that suffers."""
    source: Globs = []
    """A source it is seen from."""
    reason: Globs = []
    """A reason code, such as `tls_mitm_*`."""
    alert: Globs = []
    """An alert's name, such as `EgressCause`."""


class RoutePart(StrictModel):
    """Where matching alerts go. The first route that matches decides."""

    match: MatchPart = MatchPart()
    """Which alerts; without it, all."""
    receivers: Annotated[list[Name], BeforeValidator(one_or_many), Field(min_length=1)]
    """Names of receivers."""
    go_on: bool = Field(default=False, alias="continue")
    """Whether later routes are asked as well."""


class NotifyPart(StrictModel):
    """Whom the daemon tells."""

    receivers: list[Annotated[Receivers, BeforeValidator(refuse_text)]] = []
    """Where notices go. Every URL, password and token that is a secret stands in a file of its own."""
    routes: list[RoutePart] = []
    """Which alert goes where; without routes, every alert goes to every receiver."""
