"""`alerts:` and `notify:`, key by key. The docstrings are the reference: `docs/configuration.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import BeforeValidator, Field

from egressd.config.alerts.types import Globs, LabelName, Line, Looks, Schedule, Severities, TimeZone
from egressd.fields.types import BaseUrl, Duration, Name, duration_between, one_or_many, refuse_text
from egressd.notify.receivers import RECEIVERS
from egressd.notify.schema import ReceiverSettings
from egressd.yamlschema import StrictModel

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class PatiencePart(StrictModel):
    """How many looks in a row it takes to believe something."""

    explicit: Looks = 2
    """For an explicit answer: a reset, a block page, a name that does not exist."""
    silent: Looks = 3
    """For silence, which loss can cause too."""
    better: Looks = 2
    """For a target that is reachable again."""


class FlappingPart(StrictModel):
    """When something counts as coming and going, so that it is said once and not each time."""

    high: Annotated[float, Field(gt=0, le=100)] = 30.0
    """Per cent of changes among its last looks from which on a target flaps."""
    low: Annotated[float, Field(ge=0, lt=100)] = 10.0
    """Per cent below which it is calm again; less than `high`."""
    times: Annotated[int, Field(ge=2, le=100)] = 3
    """An alert that was opened so many times..."""
    within: Annotated[Duration, duration_between(MINUTE, 7 * DAY)] = HOUR
    """...in so long is held open..."""
    hold: Annotated[Duration, duration_between(1.0, DAY)] = 900.0
    """...until what it is about was gone for so long."""


class ScopePart(StrictModel):
    """What a maintenance window covers. What is left out excludes nothing."""

    source: Globs = []
    """Names of sources."""
    target: Globs = []
    """Targets: their ids, endpoints or hosts."""
    profile: Globs = []
    """Products."""


class TimeIntervalPart(StrictModel):
    """Maintenance that comes again and again. Probing goes on, and nothing is said of what it covers."""

    name: Name
    """What lists and alerts call it."""
    schedule: Schedule
    """When it begins: minute, hour, day of month, month, day of week, as in crontab(5)."""
    timezone: TimeZone = "UTC"
    """Whose clock the schedule is read by."""
    duration: Annotated[Duration, duration_between(MINUTE, 31 * DAY)] = Field(alias="for")
    """How long it lasts."""
    reason: Line | None = None
    """Why, for people."""
    match: ScopePart = ScopePart()
    """What it covers; without it, everything."""


class AlertsPart(StrictModel):
    """When something is an alert, and what it is called."""

    job: Line = "egressd"
    """The label `job`. Say what Prometheus says: then its alerts and egressd's are the same ones."""
    instance: Line | None = None
    """The label `instance`, as in Prometheus too; without it, this host's name and the port of `web`."""
    labels: dict[LabelName, Line] = {}
    """Further labels of every alert, such as Prometheus' `external_labels`."""
    runbooks: BaseUrl | None = None
    """Where you keep `docs/runbooks`; without it, alerts have no link."""
    patience: PatiencePart = PatiencePart()
    """How many looks in a row it takes to believe something."""
    reminder: Annotated[Duration, duration_between(5 * MINUTE, 31 * DAY)] | None = None
    """How often an open alert is told again; without it, never. Alertmanager reminds by itself."""
    flapping: FlappingPart = FlappingPart()
    """When something counts as coming and going."""
    maintenance: list[TimeIntervalPart] = []
    """When nothing is said; `egressd maintenance` opens windows by hand."""


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


if TYPE_CHECKING:
    AnyReceiver = ReceiverSettings
else:
    AnyReceiver = Annotated[Union[tuple(one.settings for one in RECEIVERS)], Field(discriminator="type")]  # noqa: UP007


class NotifyPart(StrictModel):
    """Where the daemon sends notifications."""

    receivers: list[Annotated[AnyReceiver, BeforeValidator(refuse_text)]] = []
    """Where notices go. Every URL, password and token that is a secret stands in a file of its own."""
    routes: list[RoutePart] = []
    """Which alert goes where; without routes, every alert goes to every receiver."""
