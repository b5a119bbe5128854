"""The `instance` label of alerts, the same in the daemon and in tests of its receivers."""

from __future__ import annotations

import platform

from msgspec.structs import replace

from egressd.model.settings import Settings


def with_instance(settings: Settings) -> Settings:
    """Set `alerts.instance`, if the configuration does not, to this host's name and the port.

    Prometheus uses the same label if it scrapes this host by its name.
    """
    if settings.alerting.instance:
        return settings
    port = settings.web.listen.rpartition(":")[2]
    return replace(settings, alerting=replace(settings.alerting, instance=f"{platform.node()}:{port}"))
