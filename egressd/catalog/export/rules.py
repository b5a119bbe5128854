"""Make the rules of the selected rows: one per destination, whatever roles need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from egressd.fields.parse import is_loopback_host
from egressd.firewall.document import Origin, RuleSet
from egressd.firewall.rule import (
    ANY_DEPTH,
    ONE_LABEL,
    FirewallRule,
    Leg,
    inspection_text,
    merged,
    transports_of,
)
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Direction, Endpoint, Need, Protocol, Role
from egressd.model.settings import Proxy, Settings
from egressd.model.verdict import Team
from egressd.planning.path.arc_proxy import is_forwarded
from egressd.planning.path.choice import goes_through_proxy, proxy_on_path
from egressd.planning.pattern import glob_matches_host
from egressd.planning.placeholder import (
    RESOLVER,
    PlaceholderValues,
    placeholder_values,
    substitute,
    substitute_known,
)
from egressd.planning.select import SelectedRow, endpoint_may_match, names_of_rows, refuse_unmatched, select

Place = tuple[str, int | None]
"""A destination and its first port."""


class RuleFilter(Struct, frozen=True, kw_only=True):
    """Which rows become rules; empty: all."""

    roles: tuple[Role, ...] = ()
    needs: tuple[Need, ...] = ()

    def takes(self, endpoint: Endpoint) -> bool:
        """Return whether a row is wanted."""
        wanted = not self.roles or bool(set(self.roles) & set(endpoint.roles))
        return wanted and (not self.needs or endpoint.need in self.needs)


def firewall_rules(
    catalog: Catalog, settings: Settings, only: RuleFilter | None = None
) -> tuple[FirewallRule, ...]:
    """Return one rule per leg, destination, port, transport and direction; the strictest needs first.

    Where a proxy is configured, rows that go through it are three rules: from the host to the proxy, at the
    proxy, and from it on. What an Azure Arc gateway forwards comes last. Rows whose feature is not in use are
    left out. Raises UsageError for an `--only` that matches no row.
    """
    only = only or RuleFilter()
    values = placeholder_values(catalog, settings)
    every = tuple(row for row in select(catalog, settings) if row.waits_for is None)
    refuse_unmatched(
        settings.only,
        lambda glob: any(_selected(row.endpoint, replace(settings, only=(glob,)), values) for row in every),
        lambda: names_of_rows(every),
    )
    wanted = (row for row in every if _selected(row.endpoint, settings, values) and only.takes(row.endpoint))
    return merged(new for row in wanted for new in _rules_of(row, settings, values, only))


def planned_rules(catalog: Catalog, settings: Settings, only: RuleFilter | None = None) -> RuleSet:
    """Return the rules of the selected rows, and which they are. Raises UsageError as `firewall_rules`."""
    origin = Origin(
        catalog_revision=catalog.revision,
        catalog_digest=catalog.digest,
        cloud=settings.cloud.value,
        region=settings.region,
        profiles=settings.profiles,
    )
    return RuleSet(rules=firewall_rules(catalog, settings, only), origin=origin)


def _selected(endpoint: Endpoint, settings: Settings, values: PlaceholderValues) -> bool:
    """Return whether `--only`, if given, matches the row."""
    pattern = substitute_known(endpoint.pattern, values)
    return (
        not settings.only
        or endpoint_may_match(endpoint, settings.only)
        or any(glob_matches_host(glob, pattern) for glob in settings.only)
    )


def _rules_of(
    row: SelectedRow, settings: Settings, values: PlaceholderValues, only: RuleFilter
) -> Iterator[FirewallRule]:
    """Yield the rules of one row, unmerged."""
    endpoint = row.endpoint
    roles = [one for one in Role if one in endpoint.roles and (not only.roles or one in only.roles)]
    both = endpoint.direction is Direction.BOTH
    directions = (Direction.OUTBOUND, Direction.INBOUND) if both else (endpoint.direction,)
    for place in _places(endpoint, settings, values):
        for transport in transports_of(endpoint.protocol):
            for direction in directions:
                plain = replace(_rule(endpoint, place), transport=transport, direction=direction)
                plain.roles = [one.value for one in roles]
                plain.sources = _addresses(roles, settings)
                if is_forwarded(row) and direction is Direction.OUTBOUND:
                    yield from _by_gateway(plain, row, settings)
                else:
                    plain.gateway = _gateway(row)
                    yield from _legs(plain, endpoint, settings)


def _places(endpoint: Endpoint, settings: Settings, values: PlaceholderValues) -> Iterator[Place]:
    servers = [one for one in settings.resolvers if one.address is not None]
    if endpoint.pattern == RESOLVER and servers:
        yield from ((one.address or "", one.port) for one in servers)
        return
    if endpoint.pattern == RESOLVER:
        yield "<your DNS servers>", endpoint.port
        return
    for text in substitute(endpoint.pattern, values).texts or (substitute_known(endpoint.pattern, values),):
        yield text.lower(), endpoint.port


def _rule(endpoint: Endpoint, place: Place) -> FirewallRule:
    document = endpoint.provenance
    dated = f" ({document.date})" if document and document.date else ""
    paths = [one for one in endpoint.paths if one != "/"] if endpoint.protocol.speaks_http else []
    reach = ANY_DEPTH if endpoint.deep else ONE_LABEL
    return FirewallRule(
        destination=place[0],
        port=place[1],
        last_port=endpoint.last_port,
        protocols=[endpoint.protocol.value],
        paths=paths,
        tls_inspection=inspection_text(endpoint.protocol, endpoint.inspection),
        websocket=endpoint.protocol is Protocol.WSS,
        subdomains=reach if endpoint.is_wildcard else "",
        need=endpoint.need,
        conditions=[endpoint.condition] if endpoint.condition else [],
        features=[endpoint.feature] if endpoint.feature else [],
        one_of=[f"{endpoint.profile}: {endpoint.one_of}"] if endpoint.one_of else [],
        service_tags=list(endpoint.service_tags),
        services=[endpoint.service],
        purposes=[endpoint.purpose] if endpoint.purpose else [],
        documents=[document.document + dated] if document else [],
        endpoints=[endpoint.id],
    )


def _addresses(roles: Iterable[Role], settings: Settings) -> list[str]:
    wanted = set(roles)
    sources = [one for one in settings.sources if wanted & set(one.roles)]
    places = [one.address or (f"interface {one.interface}" if one.interface else "") for one in sources]
    return list(dict.fromkeys(place for place in places if place))


def _gateway(row: SelectedRow) -> list[str]:
    """Say what the Azure Arc gateway in use means for a row, and why."""
    if row.gateway is None:
        return []
    word = row.gateway.word
    return [row.gateway.why if word is None else f"{word.value}: {row.gateway.why}"]


def _by_gateway(rule: FirewallRule, row: SelectedRow, settings: Settings) -> Iterator[FirewallRule]:
    """Yield what the gateway forwards, and the way to an Arc proxy elsewhere."""
    gateway = settings.arc_gateway
    if gateway is None:
        return
    if gateway.proxy is not None and not is_loopback_host(urlsplit(gateway.proxy).hostname or ""):
        yield _to_proxy(rule, Proxy(url=gateway.proxy))
    yield replace(rule, leg=Leg.BY_GATEWAY, proxy=f"https://{gateway.host}", gateway=_gateway(row))


def _legs(rule: FirewallRule, endpoint: Endpoint, settings: Settings) -> Iterator[FirewallRule]:
    """Yield a rule as it is, or both halves of the way by the proxy and what the proxy itself must allow."""
    proxy = proxy_on_path(endpoint.protocol, settings, route=endpoint.route)
    if proxy is None or rule.port is None or rule.direction is Direction.INBOUND:
        yield rule
    elif goes_through_proxy(rule.destination, rule.port, endpoint.protocol, settings, route=endpoint.route):
        host = urlsplit(proxy.url).hostname or ""
        yield _to_proxy(rule, proxy)
        yield replace(rule, leg=Leg.AT_PROXY, proxy=proxy.url, team=Team.PROXY)
        yield replace(rule, leg=Leg.FROM_PROXY, proxy=proxy.url, sources=[host])
    else:
        yield rule


def _to_proxy(rule: FirewallRule, proxy: Proxy) -> FirewallRule:
    url = urlsplit(proxy.url)
    return FirewallRule(
        leg=Leg.TO_PROXY,
        proxy=proxy.url,
        roles=list(rule.roles),
        sources=list(rule.sources),
        destination=url.hostname or "",
        port=url.port,
        transport="TCP",
        protocols=[url.scheme],
        need=rule.need,
        services=["Proxy"],
        purposes=["Carry everything that the proxy then asks for."],
    )
