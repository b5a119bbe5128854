"""Settings for a sweep of the lab, and the same as a configuration file.

Everything connects to loopback, the controls included: the last `connect_to` entry leads all other addresses
to a closed port, so that nothing leaves this host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from msgspec import Struct
from msgspec.structs import replace

from egressd.lab.faults import ActiveFaults, Switch
from egressd.lab.sockets import LOOPBACK
from egressd.lab.zone import LABEL, own_host
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint, Expect, Need, Protocol
from egressd.model.settings import ConnectTo, Family, Limits, Override, Resolver, Settings, Trust
from egressd.planning.expand import HOST
from egressd.planning.plan import make_plan

NTP_PORT = 123
TESTNET_TCP = "192.0.2.1:443"
TESTNET_DNS = "192.0.2.53:53"
IMAGE_PATH = "/filestreamingservice/files/egressd-lab"
IMAGE = Expect(content_type="application/octet-stream", min_bytes=65536)
"""The expected download on port 80: a page in its place is noticed."""
LIMITS = Limits(
    concurrency=24,
    dns_timeout=3.0,
    connect_timeout=1.0,
    tls_timeout=1.5,
    http_timeout=6.0,
    deadline=10.0,
)
"""Short timeouts: loopback loses no packets.

DNS has longer: its first step is a fraction of it, and a busy machine must not look like packet loss. Few
probes run at once for the same reason: the servers that answer them are in the same process.
"""


class Ports(Struct, frozen=True, kw_only=True):
    """The ports of the lab on loopback."""

    dns: int
    second_dns: int
    served: Mapping[int, int]
    """The lab's port by documented TCP port."""
    ntp: Mapping[str, int]
    """The port of an NTP server by effect; `""` is the correct one."""
    closed: int
    blackhole: Mapping[str, int]
    """Ports that drop all packets, by address: several, as one alone could be a dead server."""
    reset: int
    udp_closed: int

    def route_target(self, effect: str, documented: int) -> tuple[str, int]:
        """Return the address and port for a route effect on TCP; dropped ports get different addresses."""
        if effect == "silent":
            places = tuple(self.blackhole.items())
            return places[tuple(self.served).index(documented) % len(places)]
        return LOOPBACK, {"closed": self.closed, "reset": self.reset}[effect]

    def ntp_port(self, effect: str) -> int:
        """Return the port for a route effect on NTP."""
        return self.udp_closed if effect == "ntp_closed" else self.ntp[effect]


def connect_to(ports: Ports, active: ActiveFaults) -> tuple[ConnectTo, ...]:
    """Return the `connect_to` entries, the most specific first."""
    return tuple(_connect_to_rows(ports, active))


def _connect_to_rows(ports: Ports, active: ActiveFaults) -> Iterator[ConnectTo]:
    for switch, effect in active.routes():
        yield from _route_rows(ports, switch, effect)
    yield _row(TESTNET_TCP, ports.served[443] if active.has_global("accept_all") else ports.closed)
    yield _row(TESTNET_DNS, ports.dns if active.has_global("dns_intercepted") else ports.udp_closed)
    yield _row(f"*:{NTP_PORT}", ports.ntp[""])
    for documented, port in ports.served.items():
        yield _row(f"*:{documented}", port)
    for port in _resolver_ports(ports, active):
        yield _row(f"{LOOPBACK}:{port}", port)
    yield _row("*:*", ports.closed)


def _route_rows(ports: Ports, switch: Switch, effect: str) -> Iterator[ConnectTo]:
    """Yield the entries of one switch, for every port it names."""
    time = effect.startswith("ntp_")
    for documented in (NTP_PORT,) if time else ports.served:
        if switch.port in (None, documented):
            place = (LOOPBACK, ports.ntp_port(effect)) if time else ports.route_target(effect, documented)
            yield _row(f"{switch.pattern}:{documented}", place[1], address=place[0])


def _row(match: str, port: int, *, address: str = LOOPBACK) -> ConnectTo:
    return ConnectTo(match=match, address=address, port=port)


def _resolver_ports(ports: Ports, active: ActiveFaults) -> tuple[int, ...]:
    """Return the ports of the resolvers; a second one only where two must differ."""
    if active.has_global("no_resolver"):
        return (ports.udp_closed,)
    split = any(one.fault.name == "dns_private_link_split" for one in active.switches)
    return (ports.dns, ports.second_dns) if split else (ports.dns,)


def resolvers(ports: Ports, active: ActiveFaults) -> tuple[Resolver, ...]:
    """Return the resolvers to query."""
    return tuple(
        Resolver(name=f"{LOOPBACK}:{port}", address=LOOPBACK, port=port)
        for port in _resolver_ports(ports, active)
    )


def image_overrides(catalog: Catalog) -> tuple[Override, ...]:
    """Return overrides that point the download rows of port 80 to the lab's file."""
    rows = (
        row for row in catalog.endpoints if row.protocol is Protocol.HTTP and ".dl.delivery." in row.pattern
    )
    return tuple(Override(match=row.id, path=IMAGE_PATH, expect=IMAGE) for row in rows)


def families_to_probe(active: ActiveFaults) -> tuple[Family, ...]:
    """Return the address families to probe: IPv6 only where a fault is about it."""
    about_ipv6 = {"dns_aaaa_servfail", "dns_dns64"}
    wanted = any(one.fault.name in about_ipv6 for one in active.switches)
    return tuple(Family) if wanted else (Family.IPV4,)


def build_settings(
    *,
    ports: Ports,
    active: ActiveFaults,
    catalog: Catalog,
    trust: Trust,
    region: str,
    cloud: Cloud,
    profiles: tuple[str, ...],
    values: Mapping[str, str],
) -> Settings:
    """Return settings for which a sweep does not leave the lab."""
    settings = Settings(
        region=region,
        cloud=cloud,
        profiles=profiles,
        resolvers=resolvers(ports, active),
        trust=trust,
        limits=replace(LIMITS, families=families_to_probe(active)),
        overrides=image_overrides(catalog),
        connect_to=connect_to(ports, active),
        values=tuple(values.items()),
    )
    return replace(settings, endpoints=tuple(_own_hosts(settings, catalog)))


def _own_hosts(settings: Settings, catalog: Catalog) -> Iterator[Endpoint]:
    """Yield a host of the operator's for each required wildcard that nothing else would have probed."""
    rows = {one.id: one for one in catalog.endpoints}
    for one in make_plan(catalog, settings, label=LABEL).unsampled:
        host, row = own_host(one.pattern), rows.get(one.endpoint)
        if one.lacks == HOST and one.need is Need.REQUIRED and host is not None and row is not None:
            yield Endpoint(
                id=f"lab-{row.id}",
                profile="",
                service=row.service,
                pattern=host,
                port=row.port,
                protocol=row.protocol,
                roles=row.roles,
                need=Need.REQUIRED,
                clouds=(settings.cloud,),
            )


def render_config(settings: Settings) -> str:
    """Render settings as a configuration file."""
    limits = settings.limits
    document = {
        "region": settings.region,
        "cloud": settings.cloud.value,
        "profiles": list(settings.profiles),
        "resolvers": [one.name for one in settings.resolvers],
        "trust": {
            "store": settings.trust.store,
            "public_roots": settings.trust.public_roots,
            "public_networks": list(settings.trust.public_networks),
        },
        "probe": {
            "concurrency": limits.concurrency,
            "families": [one.value for one in limits.families],
            "dns_timeout": _seconds(limits.dns_timeout),
            "connect_timeout": _seconds(limits.connect_timeout),
            "tls_timeout": _seconds(limits.tls_timeout),
            "http_timeout": _seconds(limits.http_timeout),
            "deadline": _seconds(limits.deadline),
        },
        "overrides": [_override_row(one) for one in settings.overrides],
        "values": dict(settings.values),
        "endpoints": [_endpoint_row(one) for one in settings.endpoints],
        "connect_to": [
            {"match": one.match, "address": one.address, "port": one.port} for one in settings.connect_to
        ],
    }
    head = (
        "# Written by the lab: it holds while the lab runs, and is written anew when a fault is switched.\n"
    )
    return head + yaml.safe_dump(document, sort_keys=False)


def _seconds(value: float) -> str:
    return f"{int(value * 1000)}ms"


def _endpoint_row(one: Endpoint) -> dict[str, object]:
    return {
        "id": one.id,
        "service": one.service,
        "host": one.pattern,
        "port": one.port,
        "protocol": one.protocol.value,
        "roles": [role.value for role in one.roles],
    }


def _override_row(one: Override) -> dict[str, object]:
    expect = one.expect or Expect()
    return {
        "match": one.match,
        "path": one.path,
        "expect": {"content_type": expect.content_type, "min_bytes": expect.min_bytes},
    }


def replace_file(path: Path, text: str) -> None:
    """Replace a file atomically: a daemon may read it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
