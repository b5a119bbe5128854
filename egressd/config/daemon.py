"""The whole configuration file: what a sweep uses, and the keys of the daemon."""

from __future__ import annotations

from typing import Annotated

from msgspec.structs import replace
from pydantic import AfterValidator, BeforeValidator

from egressd.config.alerts.convert import convert_alerts, convert_notify
from egressd.config.alerts.schema import AlertsPart, NotifyPart
from egressd.config.schema import SweepFile
from egressd.fields import parse, types
from egressd.fields.types import Duration, TypeName
from egressd.model.settings import Settings, StateKeep, Web
from egressd.yamlschema import StrictModel, build

_DEFAULT = Settings()


class WebPart(StrictModel):
    """The HTTP server of the daemon."""

    listen: Annotated[str, AfterValidator(parse.parse_listen), TypeName(text="address:port")] = (
        _DEFAULT.web.listen
    )
    """Where to listen; `:10980` is every address."""
    config_file: Annotated[str, AfterValidator(types.readable_path), TypeName(text="file")] | None = None
    """TLS, basic auth and headers, in the format of Prometheus exporters: see `docs/web.md`."""
    enable_reload: bool = False
    """Whether `POST /-/reload` reads this file again, as SIGHUP does."""
    enable_probe: bool = False
    """Whether `/probe?target=ID` probes a target of the plan on demand. No other host can be named."""
    allowed_hosts: list[types.Host] = []
    """Hosts that requests may name besides loopback ones, as through a reverse proxy: see `docs/web.md`."""


class StatePart(StrictModel):
    """What the daemon remembers over restarts."""

    directory: Annotated[str, AfterValidator(types.folder_path), TypeName(text="folder")] | None = None
    """The folder; without it, systemd's state directory, or none."""
    retention: Annotated[Duration, types.duration_between(60.0, 3660 * 86400.0)] = _DEFAULT.state.retention
    """How long history is kept."""


class File(SweepFile):
    """The whole file. Every key has a default: no file is needed."""

    alerts: AlertsPart = AlertsPart()
    """When something is an alert, and what it is called."""
    notify: Annotated[NotifyPart, BeforeValidator(types.refuse_text)] = NotifyPart()
    """Where the daemon sends notifications. Without receivers it sends none; Prometheus can still
    scrape it."""
    web: WebPart = WebPart()
    """The HTTP server of the daemon."""
    state: StatePart = StatePart()
    """What the daemon remembers over restarts."""


def with_daemon(settings: Settings, file: File, *, host: bool) -> Settings:
    """Put what the daemon uses of a file into settings.

    Raises:
        ConfigError: a secret can't be used.
    """
    return replace(
        settings,
        state=build(StateKeep, file.state),
        web=build(Web, file.web),
        alerting=convert_alerts(file.alerts),
        notify=convert_notify(file.notify, host=host),
    )
