"""The faults that are on. Where two have an effect on the same host and layer, the last one wins."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from egressd.errors import UsageError
from egressd.lab.faults.fault import Fault, Layer
from egressd.lab.faults.network import DNS, NTP, TCP
from egressd.lab.faults.session import CERTIFICATE, HTTP, IMAGES, RELAYS, TLS
from egressd.planning.pattern import glob_matches_host
from egressd.wording import either_of

FAULTS: Mapping[str, Fault] = {one.name: one for one in (*DNS, *TCP, *TLS, *CERTIFICATE, *HTTP, *NTP)}
"""All faults by name, in the order of the phases."""


class Switch(Struct, frozen=True, kw_only=True):
    """A fault switched on for hosts: `FAULT=HOSTGLOB[:PORT]`."""

    fault: Fault
    pattern: str
    port: int | None = None

    def __str__(self) -> str:
        where = self.pattern if self.port is None else f"{self.pattern}:{self.port}"
        return f"{self.fault.name}={where}"

    def applies_to(self, host: str, port: int | None) -> bool:
        """Return whether the fault applies to a host; port None: any."""
        if not glob_matches_host(self.pattern, host):
            return False
        return self.port is None or port is None or port == self.port


def parse_switch(text: str) -> Switch:
    """Parse `FAULT=HOSTGLOB[:PORT]`.

    Raises:
        UsageError: unknown fault, or wrong syntax.
    """
    name, equals, where = text.strip().partition("=")
    fault = FAULTS.get(name.strip())
    if not equals or not where.strip():
        raise UsageError(f"cannot read the fault {text!r}: write FAULT=HOST, where HOST may contain `*`")
    if fault is None:
        near = difflib.get_close_matches(name.strip(), FAULTS, n=2)
        hint = f"did you mean {either_of(near)}?" if near else "`egressd lab --list` names them all"
        raise UsageError(f"cannot find a fault named {name.strip()!r}: {hint}")
    pattern, _, port = where.strip().lower().partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise UsageError(f"cannot read the port of {text!r}: it is a number from 1 to 65535")
    if not pattern:
        raise UsageError(f"cannot read the host of {text!r}: write `*` for every host")
    return Switch(fault=fault, pattern=pattern, port=int(port) if port else None)


class ActiveFaults:
    """The faults that are on. The one changed last wins where two effect on the same host and layer."""

    def __init__(self, switches: Iterable[Switch] = ()) -> None:
        self._switches: tuple[Switch, ...] = tuple(switches)

    @property
    def switches(self) -> tuple[Switch, ...]:
        """The switches, oldest first."""
        return self._switches

    def set(self, switches: Iterable[Switch]) -> None:
        """Replace all switches."""
        self._switches = tuple(switches)

    def effect(self, layer: Layer, host: str, port: int | None = None) -> str | None:
        """Return the effect on a host at a layer; None: no fault."""
        for switch in reversed(self._switches):
            found = switch.fault.effect(layer)
            if found is not None and switch.applies_to(host, port):
                return found
        return None

    def has_global(self, effect: str) -> bool:
        """Return whether a global effect is on."""
        return any(switch.fault.effect(Layer.GLOBAL) == effect for switch in self._switches)

    def routes(self) -> tuple[tuple[Switch, str], ...]:
        """Return the switches with a route effect, the one that wins first."""
        found = ((switch, switch.fault.effect(Layer.ROUTE)) for switch in reversed(self._switches))
        return tuple((switch, effect) for switch, effect in found if effect is not None)


DEMO = (
    "dns_nxdomain_filtered=linuxgeneva-microsoft.azurecr.io",
    "tls_reset=*.his.arc.azure.com",
    "inspection=management.azure.com",
    "inspection=login.microsoftonline.com",
    "inspection_block_page=packages.microsoft.com",
    "tcp_refused=ecpacr.azurecr.io",
    "cert_expired=gcs.prod.monitoring.core.windows.net",
    "inspection_trusted=graph.microsoft.com",
    "http_azure_firewall=graph.microsoft.com",
    f"http_websocket_blocked={RELAYS}",
    f"http_replaced={IMAGES}",
)
"""The faults of `--demo`: the state after a wrong firewall change."""
