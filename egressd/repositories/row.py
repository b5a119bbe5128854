"""Rows, routes and notes of the profile `this-host`: what package managers use, each on its own way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, field

from egressd.errors import ConfigError
from egressd.model.endpoint import Cloud, Endpoint, Inspection, Provenance, Role
from egressd.model.settings import THIS_HOST, ProbeRoute, Proxy, Settings
from egressd.net.trust import read_roots
from egressd.planning.path.choice import goes_through_proxy, proxy_on_path
from egressd.repositories.repository import PackageTool, Repository
from egressd.wording import name_first

SYSTEM_BUNDLES = frozenset(
    {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    }
)
"""Files that are the system's trust store, by distribution."""
MOST_ROWS = 1000
"""Rows of one host: a sweep must end, whatever a file holds."""
MOST_REPOSITORIES = 20_000
"""Repositories looked at, however many of them are one row."""
MOST_HOSTS_NAMED = 4
LONGEST_ID = 64


class HostRows(Struct, kw_only=True):
    """What is made of repositories, given the path that is configured for the rest."""

    settings: Settings
    root: Path
    """The folder that stands for `/`."""
    authorities: dict[tuple[str, str], None] = field(default_factory=dict)
    """Hosts, and files of authorities for them."""
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    routes: dict[tuple[PackageTool, Proxy | None], ProbeRoute] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    """The hosts that take each route."""
    incomplete: bool = False
    """Whether there are more repositories than rows."""

    def add(self, repositories: Iterable[Repository]) -> None:
        """Make a row of each; the same address by the same manager is one."""
        for number, one in enumerate(repositories):
            name = row_id(one)
            full = len(self.endpoints) >= MOST_ROWS and name not in self.endpoints
            if full or number >= MOST_REPOSITORIES:
                self.incomplete = True
                return
            if name not in self.endpoints:
                self.endpoints[name] = self._endpoint(name, one)

    def notes(self) -> tuple[str, ...]:
        """Say which managers go another way than egressd, and to where."""
        found = [self._difference(*key, route) for key, route in self.routes.items()]
        if self.incomplete:
            found.append(f"this host has more than {MOST_ROWS} repositories: the rest is left out")
        return tuple(found)

    def _endpoint(self, name: str, one: Repository) -> Endpoint:
        unprobed = one.way.unknown or self._unverifiable(one)
        group = f"{one.manager}-{_slug(one.mirrors_of)}"[:LONGEST_ID] if one.mirrors_of else None
        return Endpoint(
            id=name,
            profile=THIS_HOST,
            service=f"{one.manager}: {one.name}",
            pattern=one.url.host,
            port=one.url.port,
            protocol=one.url.protocol,
            roles=(Role.MACHINE,),
            need=one.need,
            purpose=one.purpose,
            # A client certificate can't be shown through TLS inspection.
            inspection=Inspection.FORBIDDEN if one.client_certificate else Inspection.TOLERATED,
            paths=(one.url.request,),
            one_of=group,
            clouds=tuple(Cloud),
            provenance=Provenance(document=one.place),
            route=None if unprobed else self._route(one),
            unprobed=f"{one.manager}: {unprobed}" if unprobed else None,
        )

    def _unverifiable(self, one: Repository) -> str | None:
        """Return why egressd can't verify its certificate as the manager does; None if it can."""
        rules = one.verification
        if rules is None or rules.authorities in SYSTEM_BUNDLES:
            return None
        if rules.authorities is None:
            return f"its certificate is verified by rules of its own ({rules.place})"
        file = self.root / rules.authorities.lstrip("/")
        try:
            read_roots(file)
        except ConfigError as error:
            return f"its certificate is verified with a file of authorities ({rules.place}): {error}"
        self.authorities.setdefault((one.url.host, str(file)))
        return None

    def _route(self, one: Repository) -> str | None:
        """Return the name of the manager's route; None where the configured path is the same."""
        place = (one.url.host, one.url.port, one.url.protocol)
        through = goes_through_proxy(*place, self.settings)
        configured = proxy_on_path(one.url.protocol, self.settings) if through else None
        if _place(one.way.proxy) == _place(configured):
            return None
        key = (one.manager, one.way.proxy)
        if key not in self.routes:
            written = one.way.origin or "nowhere is a proxy configured for it"
            self.routes[key] = ProbeRoute(
                name=self._free_name(key), proxy=one.way.proxy, why=f"the way of {one.manager} ({written})"
            )
        route = self.routes[key].name
        if one.url.host not in (hosts := self.hosts.setdefault(route, [])):
            hosts.append(one.url.host)
        return route

    def _free_name(self, key: tuple[PackageTool, Proxy | None]) -> str:
        manager, proxy = key
        name = f"{manager}-{_slug(proxy.url.partition('://')[2]) if proxy else 'direct'}"
        taken = {one.name for one in (*self.routes.values(), *self.settings.routes)}
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return next(one for one in (name, *numbered) if one not in taken)

    def _difference(self, manager: PackageTool, proxy: Proxy | None, route: ProbeRoute) -> str:
        own = self.settings.proxy or self.settings.plain_proxy
        hosts = name_first(self.hosts[route.name], most=MOST_HOSTS_NAMED)
        theirs = f"through {proxy.url}" if proxy else "directly"
        ours = "directly" if own is None else f"through {own.url} unless bypassed"
        origin = f" ({own.origin})" if own is not None and own.origin else ""
        return (
            f"{manager} goes to {hosts} {theirs}, {route.why.partition(' (')[2].removesuffix(')')}; "
            f"egressd itself goes {ours}{origin}: these are probed as {manager} goes"
        )


def row_id(one: Repository) -> str:
    """Return a name that stays while the repository stays where it is."""
    url = one.url
    identity = "\n".join((one.manager, one.key, url.scheme, url.host, str(url.port), url.path, url.query))
    digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:6]
    start = f"th-{one.manager}-{_slug(one.key)}"[: LONGEST_ID - len(digest) - 1].rstrip("-")
    return f"{start}-{digest}"


def _place(proxy: Proxy | None) -> tuple[str, str | None, str | None] | None:
    """Return what makes two proxies one: the address and the login."""
    return None if proxy is None else (proxy.url, proxy.username, proxy.password)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"
