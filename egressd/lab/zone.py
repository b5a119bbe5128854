"""The names that exist in the lab, their addresses, which are never connected to, and the files behind them.

The zone of a wildcard holds the documented hosts only, as in reality: a random label does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint, Expect
from egressd.planning.pattern import pattern_covers, replace_wildcard
from egressd.planning.placeholder import PLACEHOLDER, RESOLVER, placeholders, regional_placeholders
from egressd.planning.region import absent_products

EXTRA = ("www.microsoft.com", "www.msftconnecttest.com", "time.windows.com", "crl.microsoft.com")
"""Hosts that probes and controls use besides those of the catalog."""
PRIVATE_DOMAIN = "lab.test"
VALUES: Mapping[str, str] = {
    "scvmm_server": f"vmm01.{PRIVATE_DOMAIN}",
    "appliance_vm": f"appliance-1.{PRIVATE_DOMAIN}",
    "appliance_vm_peer": f"appliance-2.{PRIVATE_DOMAIN}",
    "control_plane": f"control-plane.{PRIVATE_DOMAIN}",
    "private_cloud": f"vcenter.{PRIVATE_DOMAIN}",
    "esxi_host": f"esxi01.{PRIVATE_DOMAIN}",
    "moc_agent": f"moc01.{PRIVATE_DOMAIN}",
    "key_vault": "egressd-lab",
    "arc_gateway": "00000000-0000-4000-8000-000000000000",
}
"""Values as under `values:` of a configuration that look like servers; `lab_values` makes the others."""
LABEL = "egressd-lab"
"""The value of a placeholder that is a part of a name."""
USUAL_REGIONS = {Cloud.PUBLIC: "westeurope", Cloud.USGOV: "usgovvirginia", Cloud.CHINA: "chinaeast2"}
RELAY_ZONES = {Cloud.PUBLIC: "servicebus.windows.net", Cloud.USGOV: "servicebus.usgovcloudapi.net"}
HIS_ZONES = {
    Cloud.PUBLIC: "his.arc.azure.com",
    Cloud.USGOV: "his.arc.azure.us",
    Cloud.CHINA: "his.arc.azure.cn",
}


class Zone(Struct, frozen=True):
    """The hosts that exist."""

    hosts: frozenset[str]

    def exists(self, name: str) -> bool:
        """Return whether a host has addresses."""
        return name.lower().rstrip(".") in self.hosts

    def has_subdomain(self, name: str) -> bool:
        """Return whether a name has an existing host below it (an empty non-terminal)."""
        return any(host.endswith("." + name.lower().rstrip(".")) for host in self.hosts)


class LabFile(Struct, frozen=True, kw_only=True):
    """What a row of the catalog expects at its paths."""

    pattern: str
    deep: bool
    paths: tuple[str, ...]
    expect: Expect

    def answers(self, host: str, target: str) -> bool:
        """Return whether a request is for it."""
        return target in self.paths and pattern_covers(self.pattern, host, deep=self.deep)


def expected_files(catalog: Catalog) -> tuple[LabFile, ...]:
    """Return what the rows of the catalog expect at their paths."""
    return tuple(
        LabFile(pattern=PLACEHOLDER.sub("*", row.pattern), deep=row.deep, paths=row.paths, expect=row.expect)
        for row in catalog.endpoints
        if row.expect != Expect() and ".dl.delivery." not in row.pattern
    )


def build_zone(catalog: Catalog, *, region: str, cloud: Cloud) -> Zone:
    """Return the zone of a region: every concrete host of the catalog."""
    values = region_values(catalog, region=region, cloud=cloud)
    hosts = {host for row in catalog.endpoints if cloud in row.clouds for host in _hosts_of(row, values)}
    return Zone(hosts=frozenset((*hosts, *EXTRA, *relay_hosts(region, cloud), *his_hosts(values, cloud))))


def lab_values(catalog: Catalog) -> dict[str, str]:
    """Return a value for every placeholder that an operator would fill in: these hosts exist in the lab."""
    mine = (
        {*placeholders(text)} for row in catalog.endpoints for text in row.written_hosts if text != RESOLVER
    )
    names = set[str]().union(*mine) - regional_placeholders(catalog)
    servers = {row.pattern for row in catalog.endpoints}
    made = {
        name: f"{name.replace('_', '-')}.{PRIVATE_DOMAIN}" if f"{{{name}}}" in servers else LABEL
        for name in sorted(names)
    }
    return made | {name: value for name, value in VALUES.items() if name in names}


def region_values(catalog: Catalog, *, region: str, cloud: Cloud) -> dict[str, str]:
    """Return the placeholder values of a region."""
    values = {**lab_values(catalog), "region": region}
    known = catalog.region(region, cloud)
    if known is not None:
        codes = {"his": known.his, "gas": known.gas}
        values |= {name: code for name, code in codes.items() if code is not None}
        values |= dict(known.values)
    return values


def usual_region(catalog: Catalog, cloud: Cloud, profiles: Iterable[str]) -> str:
    """Return the cloud's usual region, or the first in which all the profiles exist."""
    wanted = tuple(profiles)
    names = [USUAL_REGIONS[cloud], *(one.name for one in catalog.regions if one.cloud is cloud)]
    offered = (
        name
        for name in names
        if not any(True for _ in absent_products(catalog, wanted, region=name, cloud=cloud))
    )
    return next(offered, USUAL_REGIONS[cloud])


def relay_hosts(region: str, cloud: Cloud) -> tuple[str, ...]:
    """Return the Service Bus hosts that the allowlist call returns; () where a cloud has no such call."""
    suffix = RELAY_ZONES.get(cloud)
    names = ("public-1p-lab-vazr0001", "public-2p-lab-vazr0002", "public-3s-lab-vazr0003")
    return tuple(f"azgn-{region}-{name}.{suffix}" for name in names) if suffix else ()


def his_hosts(values: Mapping[str, str], cloud: Cloud) -> tuple[str, str]:
    """Return the global and the regional identity host; a discovery call names the latter."""
    zone = HIS_ZONES[cloud]
    return f"gbl.{zone}", f"{values.get('his') or 'lab'}.{zone}"


def _hosts_of(row: Endpoint, values: Mapping[str, str]) -> Iterator[str]:
    """Yield the concrete hosts of a row; those with an unknown placeholder are left out."""

    def filled(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text).lower()

    for one in map(filled, row.written_hosts):
        if "*" not in one and "{" not in one:
            yield one
    if (own := own_host(filled(row.pattern))) is not None:
        yield own


def own_host(pattern: str) -> str | None:
    """Return the host that an operator would have below a wildcard; None: it is none, or not filled in."""
    made = replace_wildcard(pattern.lower(), LABEL)
    return made if made != pattern.lower() and "*" not in made and "{" not in made else None


PUBLIC_NETWORK = "198.18.0.0/15"
"""The lab's Internet: the benchmark range (RFC 2544), which is never on the real one."""


def public_address(host: str) -> str:
    """Return a host's address in the lab's Internet."""
    digest = hashlib.sha256(host.lower().encode()).digest()
    return f"198.{18 + digest[0] % 2}.{digest[1]}.{digest[2] % 254 + 1}"


def private_address(host: str) -> str:
    """Return the address of a private endpoint or an internal server."""
    digest = hashlib.sha256(host.lower().encode()).digest()
    return f"10.20.{digest[1]}.{digest[2] % 254 + 1}"


def address_of(host: str) -> str:
    """Return the correct address of a host."""
    return private_address(host) if host.endswith("." + PRIVATE_DOMAIN) else public_address(host)
