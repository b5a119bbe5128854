"""The vantage point of a sweep: this host's name, addresses, families, resolvers and roots."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from egressd.model.plan import Plan
from egressd.model.recording import Vantage, VantageSource
from egressd.model.settings import Family, Resolver, Source
from egressd.net.resolve import system_nameservers
from egressd.net.sockets.errors import PhaseError
from egressd.net.sockets.opening import open_socket
from egressd.net.trust import TrustStore
from egressd.wording import host_port

_FIB_TRIE = Path("/proc/net/fib_trie")
_IF_INET6 = Path("/proc/net/if_inet6")
_LOCAL_ROUTE = re.compile(r"\|-- ([0-9.]{7,15})\n\s+/32 host LOCAL")
_MAX_ADDRESSES = 64
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def read_vantage(plan: Plan, store: TrustStore) -> Vantage:
    """Return the facts about this host, except the clock's offset."""
    addresses, host = local_addresses(), socket.gethostname()
    return Vantage(
        host=host,
        site=plan.site or host,
        sources=tuple(_vantage_source(one) for one in plan.sources),
        resolvers=tuple(_resolver_name(one) for one in plan.resolvers),
        proxy=plan.proxy.url if plan.proxy else None,
        families=usable_families(addresses),
        trust=store.facts,
        local_addresses=addresses[:_MAX_ADDRESSES],
        proxy_variables=proxy_variables(os.environ),
        python=platform.python_version(),
    )


def unusable_sources(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return an error text for each source that is not on this host."""
    return tuple(problem for source in sources if (problem := _source_problem(source)))


def _source_problem(source: Source) -> str:
    family = socket.AF_INET6 if ":" in (source.address or "") else socket.AF_INET
    try:
        open_socket(family, socket.SOCK_DGRAM, source).close()
    except PhaseError as error:
        return error.detail
    return ""


def _vantage_source(source: Source) -> VantageSource:
    return VantageSource(
        name=source.name,
        address=source.address,
        interface=source.interface,
        roles=tuple(role.value for role in source.roles),
    )


def _resolver_name(resolver: Resolver) -> str:
    if resolver.address is not None:
        return host_port(resolver.address, resolver.port)
    asked = ", ".join(one.name for one in system_nameservers())
    return f"system ({asked})" if asked else "system"


def proxy_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the environment's proxy variables; the values may hold secrets."""
    return tuple(
        sorted(name for name, value in environment.items() if name.lower() in _PROXY_VARIABLES and value)
    )


def local_addresses() -> tuple[str, ...]:
    """Return the addresses of this network namespace, IPv4 first; () where /proc can't be read."""
    found = dict.fromkeys(_LOCAL_ROUTE.findall(_read_proc(_FIB_TRIE)))
    rows = (line.split() for line in _read_proc(_IF_INET6).splitlines())
    found.update(dict.fromkeys(str(ipaddress.IPv6Address(int(row[0], 16))) for row in rows if row))
    return tuple(found)


def local_interfaces() -> tuple[str, ...]:
    """Return the names of the interfaces of this network namespace."""
    return tuple(name for _, name in socket.if_nameindex())


def usable_families(addresses: Iterable[str]) -> tuple[Family, ...]:
    """Return the families in which this host has an address of global scope.

    Where it has loopback addresses only (a lab, a namespace), those count; without any, both families.
    """
    known = [ipaddress.ip_address(one) for one in addresses]
    leaving = [one for one in known if not (one.is_loopback or one.is_link_local)]
    versions = {one.version for one in leaving or known}
    return tuple(
        family for family, version in ((Family.IPV4, 4), (Family.IPV6, 6)) if version in versions or not known
    )


def _read_proc(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
