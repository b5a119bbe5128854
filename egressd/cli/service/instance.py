"""What this egressd is called in alerts: settled once, for the daemon and for tests of its receivers."""

from __future__ import annotations

import platform
from dataclasses import replace

from egressd.model.settings import Settings


def with_instance(settings: Settings) -> Settings:
    """Fill in `alerts.instance` where the configuration leaves it out: this host's name and the port.

    Prometheus says the same where it scrapes this host by its name.
    """
    if settings.alerting.instance:
        return settings
    port = settings.web.listen.rpartition(":")[2]
    return replace(settings, alerting=replace(settings.alerting, instance=f"{platform.node()}:{port}"))
