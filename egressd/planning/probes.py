"""Plan the probes of targets: each conversation once per source, however many targets share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.endpoint import SampleKind
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe, Target
from egressd.model.settings import Settings, Source
from egressd.planning.controls import redirection, stays_on_loopback
from egressd.planning.path.bypass import bypass_entry
from egressd.planning.path.choice import goes_through_proxy, proxy_on_path
from egressd.wording import host_port

VIA_PROXY = "|proxy"
"""The end of the id of a probe through the configured proxy; a route adds its own name instead."""


class _Draft(Struct):
    probe: Probe
    targets: list[str]


def plan_probes(
    targets: Iterable[Target], settings: Settings, *, siblings: Mapping[str, tuple[str, ...]]
) -> tuple[Probe, ...]:
    """Return the probes in the order of their first target; ids are unique.

    `siblings` gives, by target id, the hosts a random label borrows an address from.
    """
    drafts: dict[Probe, _Draft] = {}
    for target in targets:
        for source in sources_for(target, settings):
            probe = _probe(target, source, settings, siblings.get(target.id, ()))
            for one in (probe, *_contrast(probe, settings)):
                drafts.setdefault(_identity(one), _Draft(one, [])).targets.append(target.id)
    return tuple(_with_unique_ids(drafts.values()))


def sources_for(target: Target, settings: Settings) -> tuple[Source, ...]:
    """Return the sources that have one of the target's roles."""
    return tuple(source for source in settings.sources if set(source.roles) & set(target.roles))


def _contrast(probe: Probe, settings: Settings) -> Iterator[Probe]:
    """Yield the same probe along the other path, if paths are compared.

    A random label is probed along one path: it proves a rule, and there is no host to reach. So is what takes
    a route: the other path is that of the rest.
    """
    if not settings.compare_paths or probe.siblings or probe.route is not None:
        return
    if proxy_on_path(probe.protocol, settings) is None:
        return
    flipped = replace(probe, via_proxy=not probe.via_proxy, bypassed_by="", contrast=True)
    if probe.via_proxy:
        to = redirection(probe.host, probe.port, settings.connect_to)
        yield replace(flipped, id=probe.id.removesuffix(VIA_PROXY), connect_to=to)
    else:
        yield replace(flipped, id=probe.id + VIA_PROXY, connect_to=None)


def _probe(target: Target, source: Source, settings: Settings, siblings: tuple[str, ...]) -> Probe:
    proxy = proxy_on_path(target.protocol, settings, route=target.route)
    entry = bypass_entry(target.host, target.port, proxy.bypass) if proxy is not None else ""
    via_proxy = proxy is not None and not entry
    shown = target.pattern if target.sample is SampleKind.RANDOM else target.host
    path = target.path if target.protocol.speaks_http else ""
    address = f"{target.protocol}://{host_port(shown, target.port)}{path}"
    way = f"|{target.route}" if target.route is not None else VIA_PROXY if via_proxy else ""
    return Probe(
        id=f"{source.name}|{address}{way}",
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        source=source.name,
        targets=(),
        url_path=target.path,
        expect=target.expect,
        route=target.route,
        via_proxy=via_proxy,
        bypassed_by=entry,
        # The proxy dials the target: it is not ours to redirect.
        connect_to=None if via_proxy else redirection(target.host, target.port, settings.connect_to),
        siblings=siblings,
    )


def _identity(probe: Probe) -> Probe:
    """Return what can change the result of a probe: targets that share it share the probe."""
    return replace(probe, id="", bypassed_by="", siblings=())


def _with_unique_ids(drafts: Iterable[_Draft]) -> Iterator[Probe]:
    """Set the targets of every probe; number ids that would be the same."""
    taken: dict[str, int] = {}
    for draft in drafts:
        name = draft.probe.id
        taken[name] = taken.get(name, 0) + 1
        unique = name if taken[name] == 1 else f"{name}#{taken[name]}"
        yield replace(draft.probe, id=unique, targets=tuple(draft.targets))


def route_fetches(controls: Iterable[ControlPlan], settings: Settings, plan: Plan) -> tuple[ControlPlan, ...]:
    """Set the path of each fetch; if all probes stay on loopback, drop fetches that would leave this host."""
    settings = replace(settings, routes=plan.routes)  # that of an Arc gateway is made with the plan
    lab = stays_on_loopback(settings, plan.probes)
    routed = (_route(one, settings) for one in controls)
    return tuple(one for one in routed if not (lab and _leaves_host(one)))


def _route(one: ControlPlan, settings: Settings) -> ControlPlan:
    if one.kind not in _FETCHES:
        return one
    return replace(
        one,
        connect_to=redirection(one.host, one.port, settings.connect_to),
        via_proxy=goes_through_proxy(one.host, one.port, one.protocol, settings, route=one.route),
    )


def _leaves_host(one: ControlPlan) -> bool:
    return one.kind in _FETCHES and one.connect_to is None and not one.via_proxy


_FETCHES = frozenset({ControlKind.REVOCATION, ControlKind.REDIRECT})
"""Controls that fetch a URL as programs do: with the proxy and `connect_to` of the configuration."""
