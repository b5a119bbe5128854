"""Five sites, each behind a firewall of its own, a cloud that they need, and a management network.

    site N  10.N.0.2  -- 10.N.0.1  firewall N  198.51.100.(4N+2)  --  198.51.100.(4N+1)  cloud
                                                management  198.18.0.2  --  198.18.0.1   cloud

The cloud routes between them, and 203.0.113.0/24 is its own. Sites 1 to 3 can be reached from the management
network; 4 and 5 are behind NAT. Each is a network namespace, named as those of `tests/net`, whose next run
removes what a killed one left.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.net.topology import FORWARDING, PREFIX, SETTINGS, Host, run

SITES = ("bergen", "lodz", "turin", "oslo", "narvik")
BEHIND_NAT = ("oslo", "narvik")
CENTRE = "198.18.0.2"
RESOLVER = "203.0.113.53"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNetwork:
    """The namespaces."""

    cloud: Host
    centre: Host
    sites: dict[str, Host]
    firewalls: dict[str, Host]
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> FleetNetwork:
        """Make the namespaces, connected; a failed attempt is removed."""
        number = next(_numbers)

        def host(part: str) -> Host:
            (folder / part).mkdir()
            return Host(f"{PREFIX}-{os.getpid()}-fleet{number}-{part}", folder / part)

        made = cls(
            cloud=host("cloud"),
            centre=host("centre"),
            sites={name: host(name) for name in SITES},
            firewalls={name: host(f"{name}-fw") for name in SITES},
            folder=folder,
        )
        try:
            made._build()
        except BaseException:
            made.close()
            raise
        return made

    def _hosts(self) -> Iterator[Host]:
        yield from (*self.sites.values(), self.centre, *self.firewalls.values(), self.cloud)

    def _build(self) -> None:
        for one in self._hosts():
            run("ip", "netns", "add", one.name)
            forwards = one in (self.cloud, *self.firewalls.values())
            one.sysctl({**SETTINGS, **(FORWARDING if forwards else {})})
            one.ip("link", "set", "lo", "up")
        self.cloud.ip("route", "add", "local", "203.0.113.0/24", "dev", "lo")
        _connect((self.centre, "uplink", f"{CENTRE}/24"), (self.cloud, "centre", "198.18.0.1/24"))
        self.centre.ip("route", "add", "default", "via", "198.18.0.1")
        for number, name in enumerate(SITES, 1):
            self._add_site(number, name)

    def _add_site(self, number: int, name: str) -> None:
        site, firewall = self.sites[name], self.firewalls[name]
        _connect((site, "uplink", f"10.{number}.0.2/24"), (firewall, "inside", f"10.{number}.0.1/24"))
        near, far = f"198.51.100.{4 * number + 2}", f"198.51.100.{4 * number + 1}"
        _connect((firewall, "outside", f"{near}/30"), (self.cloud, name, f"{far}/30"))
        site.ip("route", "add", "default", "via", f"10.{number}.0.1")
        firewall.ip("route", "add", "default", "via", far)
        site.etc("resolv.conf", f"nameserver {RESOLVER}\n")
        site.etc("hosts", "127.0.0.1 localhost\n")
        if name in BEHIND_NAT:
            firewall.rules("postrouting 100", 'oifname "outside" masquerade', family="ip", kind="nat")
            firewall.rules("forward", 'iifname "outside" ct state new drop')
        else:
            self.cloud.ip("route", "add", f"10.{number}.0.0/24", "via", near)
        firewall.nft("table inet faults { chain forward { type filter hook forward priority 10; }; }")

    def address(self, site: str) -> str:
        """Return the address of a site's host."""
        return f"10.{SITES.index(site) + 1}.0.2"

    def close_rule(self, site: str, address: str, how: str) -> None:
        """Have a site's firewall reject an address: `tcp reset`, `icmp type admin-prohibited`."""
        self.firewalls[site].nft(
            f"add rule inet faults forward ip daddr {address} tcp dport 443 reject with {how}"
        )

    def open_rules(self, site: str) -> None:
        """Have a site's firewall let everything out again."""
        self.firewalls[site].nft("flush chain inet faults forward")

    def switch_link(self, site: str, state: str) -> None:
        """Switch a site's uplink `up` or `down`; its routes come back."""
        firewall = self.firewalls[site]
        firewall.ip("link", "set", "outside", state)
        if state == "up":
            firewall.ip("route", "replace", "default", "via", f"198.51.100.{4 * SITES.index(site) + 5}")

    def close(self) -> None:
        """Stop every program and remove the namespaces."""
        for one in self._hosts():
            one.close()


End = tuple[Host, str, str]
"""One end of a link: host, name of the device, address with its prefix length."""


def _connect(one: End, other: End) -> None:
    words = ["link", "add", one[1], "netns", one[0].name, "type", "veth"]
    run("ip", *words, "peer", "name", other[1], "netns", other[0].name)
    for host, device, address in (one, other):
        host.ip("address", "add", address, "dev", device)
        host.ip("link", "set", device, "up")


@contextmanager
def fleet_network() -> Iterator[FleetNetwork]:
    """Make the network in a folder that every user may read, and remove both at the end."""
    with TemporaryDirectory(prefix=f"{PREFIX}-fleet-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = FleetNetwork.make(folder)
        try:
            yield made
        finally:
            made.close()
