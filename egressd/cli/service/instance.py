"""What the configuration leaves to the name of this host: the labels `instance` and `site`.

They are the same in the daemon and in tests of its receivers.
"""

from __future__ import annotations

import platform

from msgspec.structs import replace

from egressd.model.settings import Settings


def with_host_names(settings: Settings) -> Settings:
    """Set `alerts.instance` and the site, where the configuration does not, and label alerts with the site.

    `instance` is this host's name and the port: Prometheus uses the same label if it scrapes this host by its
    name. The site is the host's name.
    """
    alerting, host = settings.alerting, platform.node()
    port = settings.web.listen.rpartition(":")[2]
    site = settings.chosen_site or host
    labels = dict(alerting.labels) | {"site": site}
    alerting = replace(
        alerting, instance=alerting.instance or f"{host}:{port}", labels=tuple(sorted(labels.items()))
    )
    return replace(settings, site=site, alerting=alerting)
