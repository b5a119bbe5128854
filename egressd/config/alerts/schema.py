"""`alerts:` and `notify:`, key by key. The docstrings are the reference: `docs/configuration.md`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo

from egressd.config.alerts.types import Globs, LabelName, Line, Looks, Schedule, Severities, TimeZone
from egressd.fields.types import BaseUrl, Duration, Name, duration_between, one_or_many, refuse_text
from egressd.notify.schema import ReceiverSettings
from egressd.yamlschema import StrictModel

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class PatiencePart(StrictModel):
    """How many probes in a row confirm a change."""

    explicit: Looks = 2
    """For an explicit answer: a reset, a block page, a name that does not exist."""
    silent: Looks = 3
    """For silence, which loss can cause too."""
    better: Looks = 2
    """For a target that is reachable again."""


class FlappingPart(StrictModel):
    """When a target or an alert is flapping, which is notified once."""

    high: Annotated[float, Field(gt=0, le=100)] = 30.0
    """Per cent of changes among its last results from which on a target is flapping."""
    low: Annotated[float, Field(ge=0, lt=100)] = 10.0
    """Per cent below which it is not flapping any more; less than `high`."""
    times: Annotated[int, Field(ge=2, le=100)] = 3
    """An alert that was opened so many times..."""
    within: Annotated[Duration, duration_between(MINUTE, 7 * DAY)] = HOUR
    """...within this time stays open..."""
    hold: Annotated[Duration, duration_between(1.0, DAY)] = 900.0
    """...until its condition was gone for so long."""


class ScopePart(StrictModel):
    """What a time interval covers. A key that is left out excludes nothing."""

    source: Globs = []
    """Names of sources."""
    target: Globs = []
    """Targets: their ids, endpoints or hosts."""
    profile: Globs = []
    """Products."""


class TimeIntervalPart(StrictModel):
    """Recurring maintenance: probing goes on, and alerts on what it covers are silenced."""

    name: Name
    """What lists and alerts call it."""
    schedule: Schedule
    """When it begins: minute, hour, day of month, month, day of week, as in crontab(5)."""
    timezone: TimeZone = "UTC"
    """The time zone of the schedule."""
    duration: Annotated[Duration, duration_between(MINUTE, 31 * DAY)] = Field(alias="for")
    """How long it lasts."""
    reason: Line | None = None
    """Why, for people."""
    match: ScopePart = ScopePart()
    """What it covers; without it, everything."""


class AlertsPart(StrictModel):
    """When something is an alert, and what it is called."""

    job: Line = "egressd"
    """The label `job`. As in Prometheus, so that one route or inhibition fits its alerts and egressd's."""
    instance: Line | None = None
    """The label `instance`, as in Prometheus too; without it, this host's name and the port of `web`."""
    labels: dict[LabelName, Line] = {}
    """Further labels of every alert, such as Prometheus' `external_labels`. `site` is added, from the key of
    that name."""
    runbooks: BaseUrl | None = None
    """Where you keep `docs/runbooks`; without it, alerts have no link."""
    patience: PatiencePart = PatiencePart()
    """How many probes in a row confirm a change."""
    reminder: Annotated[Duration, duration_between(5 * MINUTE, 31 * DAY)] | None = None
    """How often an open alert is notified again; without it, never. Alertmanager repeats by itself."""
    flapping: FlappingPart = FlappingPart()
    """When a target or an alert is flapping."""
    maintenance: list[TimeIntervalPart] = []
    """Recurring maintenance; `egressd maintenance` starts silences by hand."""


class MatchPart(StrictModel):
    """Which alerts a route is for: each key that is given must fit."""

    severity: Severities = []
    """How urgent."""
    profile: Globs = []
    """An affected product."""
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


def _receiver(data: object, info: ValidationInfo) -> ReceiverSettings:
    """Validate one receiver by the settings of its type."""
    # Their modules load what writes messages; a file without receivers is spared that.
    from egressd.notify.receivers import parse_receiver  # noqa: PLC0415

    return parse_receiver(data, info)


class NotifyPart(StrictModel):
    """Where the daemon sends notifications."""

    receivers: list[Annotated[ReceiverSettings, PlainValidator(_receiver), BeforeValidator(refuse_text)]] = []
    """Where notifications go. Every URL, password and token that is a secret stands in a file of its own."""
    routes: list[RoutePart] = []
    """Which alert goes where; without routes, every alert goes to every receiver."""
