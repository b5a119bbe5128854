"""Plan one control for a trail: where it goes, and its id."""

from __future__ import annotations

from itertools import chain

from msgspec.structs import replace

from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, Phase
from egressd.model.plan import ControlKind, ControlPlan, Probe
from egressd.wording import host_port

DNS_PORT = 53
_AT_RESOLVER = frozenset(
    {
        ControlKind.KNOWN_NAME,
        ControlKind.SIBLING_NAME,
        ControlKind.DNS_REPEAT,
        ControlKind.OTHER_FAMILY,
    }
)


def other_host(context: TrailContext) -> str:
    """Return a name to compare with: one that worked, else any other of the plan; empty: there is none."""
    own = {context.probe.host.lower(), (context.tls.sni if context.tls is not None else "").lower()}
    known = chain(context.index.once(_answered_names), hosts_on_path(context.index, DIRECT))
    return next((name for name in known if name.lower() not in own and _is_name(name)), "")


def _answered_names(index: SweepIndex) -> list[str]:
    return sorted({name for names in index.answered_sni.values() for name in names})


def hosts_on_path(index: SweepIndex, path: str) -> list[str]:
    """Return the hosts that are probed directly, or through one proxy, in order.

    Random labels are left out, and names that egressd derived: neither need exist.
    """
    return index.once(_hosts_by_path).get(path, [])


def _hosts_by_path(index: SweepIndex) -> dict[str, list[str]]:
    plan, found = index.recording.plan, dict[str, set[str]]()
    for one in plan.probes:
        if not one.siblings and one.host.lower() not in index.derived_hosts:
            found.setdefault(plan.path_of(one), set()).add(one.host)
    return {path: sorted(hosts) for path, hosts in found.items()}


def _is_name(text: str) -> bool:
    return any(one.isalpha() for one in text) and ":" not in text


def _resolver(context: TrailContext) -> tuple[str | None, int]:
    """Return the address and port of the resolver; no address: every resolver is queried."""
    named = (one for one in context.index.recording.plan.resolvers if one.name == context.trail.resolver)
    configured = next((one for one in named if one.address), None)
    if configured is not None:
        return configured.address, configured.port
    host, _, port = context.trail.resolver.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else (None, DNS_PORT)


def control_for(
    context: TrailContext,
    kind: ControlKind,
    *,
    why: str,
    host: str = "",
    port: int | None = None,
    protocol: Protocol = Protocol.TCP,
    max_segment: int | None = None,
) -> ControlPlan:
    """Plan a control at the address or the resolver of a trail; `port` defaults to the one dialled."""
    dns = kind in _AT_RESOLVER
    address, usual_port = _resolver(context) if dns else context.dialled
    return ControlPlan(
        id=_identity(kind, context, max_segment),
        kind=kind,
        source=context.source,
        subject=context.probe.id,
        host=host,
        address=address,
        port=port or usual_port,
        protocol=Protocol.DNS if dns else protocol,
        resolver=context.trail.resolver if dns else None,
        max_segment=max_segment,
        why=why,
    )


def _identity(kind: ControlKind, context: TrailContext, max_segment: int | None) -> str:
    """Return `<kind>:<subject>`, and the address or resolver where a probe has several."""
    size = f"/{max_segment}" if max_segment is not None else ""
    compared = context.trail.resolver if context.failed_in is Phase.DNS else context.dialled[0]
    several = len({(one.address, one.resolver) for one in context.probe_trails}) > 1
    at = f"@{compared}" if several else ""
    return f"{kind.value}:{context.probe.id}{at}{size}"


def hello_control(
    context: TrailContext, kind: ControlKind, why: str, *, max_segment: int | None = None
) -> ControlPlan:
    """Plan a ClientHello of another size or form to the address of a trail, or in a tunnel like its own."""
    host, port = context.probe.host, context.probe.port
    plan = control_for(
        context,
        kind,
        host=host,
        port=port if context.proxied else None,
        protocol=Protocol.TLS,
        max_segment=max_segment,
        why=why,
    )
    return replace(plan, tunnel=host_port(host, port), route=context.probe.route) if context.proxied else plan


def is_forged(context: TrailContext) -> bool:
    """Whether the chain was rejected and leads to no public root, so that a device may have signed it."""
    tls = context.tls
    if tls is None or tls.failure is not Failure.VERIFY or tls.facts is None:
        return False
    return tls.facts.publicly_anchored is False


def probe_contexts(index: SweepIndex, probe: Probe) -> tuple[TrailContext, ...]:
    """Return the trails of a probe, to be judged for the first of its targets; the same ones each time."""
    return index.once(_contexts_by_probe).get(probe.id, ())


def _contexts_by_probe(index: SweepIndex) -> dict[str, tuple[TrailContext, ...]]:
    found: dict[str, tuple[TrailContext, ...]] = {}
    for probe in index.recording.plan.probes:
        target = next((index.targets[one] for one in probe.targets if one in index.targets), None)
        if target is not None:
            contexts = [
                TrailContext(trail=trail, probe=probe, target=target, index=index)
                for trail in index.trails.get(probe.id, ())
            ]
            found[probe.id] = tuple(contexts)
    return found
