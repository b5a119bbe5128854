"""What egressd must be told to work on the lab: as settings, and as a configuration file.

Everything is led to loopback, the controls included: the last `connect_to` entry sends what nobody
serves to a closed port, so that nothing leaves this host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from egressd.lab.faults import Switch, Switchboard
from egressd.lab.wire import LOOPBACK
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Expect, Protocol
from egressd.model.settings import ConnectTo, Family, Limits, Override, Resolver, Settings, Trust

NTP_PORT = 123
NOWHERE_TCP = "192.0.2.1:443"
NOWHERE_DNS = "192.0.2.53:53"
IMAGE_PATH = "/filestreamingservice/files/egressd-lab"
IMAGE = Expect(content_type="application/octet-stream", min_bytes=65536)
"""What a download over port 80 must be like: a page in its place shows."""
LIMITS = Limits(
    concurrency=64,
    dns_timeout=3.0,
    connect_timeout=1.0,
    tls_timeout=1.5,
    http_timeout=6.0,
    deadline=10.0,
)
"""Loopback loses nothing: silence is plain after a second.

DNS has longer: its first try is a small part of it, and a busy machine must not look like a lossy path.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything is on loopback."""

    dns: int
    second_dns: int
    served: Mapping[int, int]
    """From a documented TCP port to the lab's."""
    ntp: Mapping[str, int]
    """From the act of a time server to its port; the honest one is `""`."""
    closed: int
    silent: Mapping[str, int]
    """Where all is lost, by address: several, for silence everywhere is more than a silent server."""
    reset: int
    udp_closed: int

    def dead_end(self, act: str, documented: int) -> tuple[str, int]:
        """Return the address and port where a route act leads TCP; silence has one for each port."""
        if act == "silent":
            places = tuple(self.silent.items())
            return places[tuple(self.served).index(documented) % len(places)]
        return LOOPBACK, {"closed": self.closed, "reset": self.reset}[act]

    def time_server(self, act: str) -> int:
        """Return where a route act leads NTP."""
        return self.udp_closed if act == "ntp_closed" else self.ntp[act]


def connect_to(ports: Ports, board: Switchboard) -> tuple[ConnectTo, ...]:
    """Return where every connection leads, the most special first."""
    return tuple(_leads(ports, board))


def _leads(ports: Ports, board: Switchboard) -> Iterator[ConnectTo]:
    for switch, act in board.routes():
        yield from _detours(ports, switch, act)
    yield _lead(NOWHERE_TCP, ports.served[443] if board.world("accept_all") else ports.closed)
    yield _lead(NOWHERE_DNS, ports.dns if board.world("dns_intercepted") else ports.udp_closed)
    yield _lead(f"*:{NTP_PORT}", ports.ntp[""])
    for documented, port in ports.served.items():
        yield _lead(f"*:{documented}", port)
    for port in _resolver_ports(ports, board):
        yield _lead(f"{LOOPBACK}:{port}", port)
    yield _lead("*:*", ports.closed)


def _detours(ports: Ports, switch: Switch, act: str) -> Iterator[ConnectTo]:
    """Redirect the hosts of one switch elsewhere, on every port it names."""
    time = act.startswith("ntp_")
    for documented in (NTP_PORT,) if time else ports.served:
        if switch.port in (None, documented):
            place = (LOOPBACK, ports.time_server(act)) if time else ports.dead_end(act, documented)
            yield _lead(f"{switch.pattern}:{documented}", place[1], address=place[0])


def _lead(match: str, port: int, *, address: str = LOOPBACK) -> ConnectTo:
    return ConnectTo(match=match, address=address, port=port)


def _resolver_ports(ports: Ports, board: Switchboard) -> tuple[int, ...]:
    """Return the resolvers to ask: a second one only where two must differ."""
    if board.world("no_resolver"):
        return (ports.udp_closed,)
    split = any(one.fault.name == "dns_private_link_split" for one in board.switches)
    return (ports.dns, ports.second_dns) if split else (ports.dns,)


def resolvers(ports: Ports, board: Switchboard) -> tuple[Resolver, ...]:
    """Return the DNS voices to ask."""
    return tuple(
        Resolver(name=f"{LOOPBACK}:{port}", address=LOOPBACK, port=port)
        for port in _resolver_ports(ports, board)
    )


def image_overrides(catalog: Catalog) -> tuple[Override, ...]:
    """Ask the port-80 rows of the image download for a file the lab has."""
    rows = (
        row for row in catalog.endpoints if row.protocol is Protocol.HTTP and ".dl.delivery." in row.pattern
    )
    return tuple(Override(match=row.id, path=IMAGE_PATH, expect=IMAGE) for row in rows)


def families(board: Switchboard) -> tuple[Family, ...]:
    """Return the families worth asking for: the lab has IPv6 only where a fault is about it."""
    about_ipv6 = {"dns_aaaa_servfail", "dns_dns64"}
    wanted = any(one.fault.name in about_ipv6 for one in board.switches)
    return tuple(Family) if wanted else (Family.IPV4,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The lab's side of the settings."""

    ports: Ports
    board: Switchboard
    catalog: Catalog
    trust: Trust
    region: str
    cloud: Cloud

    def settings(self, *, profiles: tuple[str, ...], values: Mapping[str, str]) -> Settings:
        """Return settings with which a sweep stays on the lab."""
        return Settings(
            region=self.region,
            cloud=self.cloud,
            profiles=profiles,
            resolvers=resolvers(self.ports, self.board),
            trust=self.trust,
            limits=replace(LIMITS, families=families(self.board)),
            overrides=image_overrides(self.catalog),
            connect_to=connect_to(self.ports, self.board),
            values=tuple(values.items()),
        )


def render_config(settings: Settings) -> str:
    """Write settings of the lab as a configuration file."""
    limits = settings.limits
    document = {
        "region": settings.region,
        "cloud": settings.cloud.value,
        "profiles": list(settings.profiles),
        "resolvers": [one.name for one in settings.resolvers],
        "trust": {"store": settings.trust.store, "public_roots": settings.trust.public_roots},
        "probe": {
            "concurrency": limits.concurrency,
            "families": [one.value for one in limits.families],
            "dns_timeout": _seconds(limits.dns_timeout),
            "connect_timeout": _seconds(limits.connect_timeout),
            "tls_timeout": _seconds(limits.tls_timeout),
            "http_timeout": _seconds(limits.http_timeout),
            "deadline": _seconds(limits.deadline),
        },
        "overrides": [_override(one) for one in settings.overrides],
        "values": dict(settings.values),
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


def _override(one: Override) -> dict[str, object]:
    expect = one.expect or Expect()
    return {
        "match": one.match,
        "path": one.path,
        "expect": {"content_type": expect.content_type, "min_bytes": expect.min_bytes},
    }


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all: a daemon may be reading it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
