"""The table of scenarios: one module per kind of fault, each a tuple of worlds."""

from __future__ import annotations

from tests.net.scenario import World
from tests.net.worlds.controls import CONTROL_WORLDS
from tests.net.worlds.dns import DNS_WORLDS
from tests.net.worlds.local_host import LOCAL_HOST_WORLDS
from tests.net.worlds.middleboxes import MIDDLEBOX_WORLDS
from tests.net.worlds.proxy import PROXY_WORLDS
from tests.net.worlds.site import SITE_WORLDS
from tests.net.worlds.tcp import TCP_WORLDS
from tests.net.worlds.tls import TLS_WORLDS
from tests.net.worlds.two_faults import TWO_FAULT_WORLDS

WORLDS: tuple[World, ...] = (
    *LOCAL_HOST_WORLDS,
    *DNS_WORLDS,
    *TCP_WORLDS,
    *TLS_WORLDS,
    *MIDDLEBOX_WORLDS,
    *SITE_WORLDS,
    *CONTROL_WORLDS,
    *PROXY_WORLDS,
    *TWO_FAULT_WORLDS,
)
