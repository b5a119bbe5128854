"""Planning one control about a case: where it goes, and what it is called."""

from __future__ import annotations

from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.endpoint import Protocol
from egressd.model.observation import Phase
from egressd.model.plan import ControlKind, ControlPlan

DNS_PORT = 53


def other_host(context: TrailContext) -> str:
    """Return a name to compare with: one that worked, else any other of the plan; empty: there is none."""
    own = {context.probe.host.lower(), (context.tls.sni if context.tls is not None else "").lower()}
    worked = sorted(name for names in context.index.answered_sni.values() for name in names)
    planned = sorted(
        probe.host for probe in context.index.probes.values() if not probe.siblings and not probe.via_proxy
    )
    return next((name for name in (*worked, *planned) if name.lower() not in own and _is_name(name)), "")


def _is_name(text: str) -> bool:
    return any(letter.isalpha() for letter in text) and ":" not in text


def _resolver(context: TrailContext) -> tuple[str | None, int]:
    """Return the address and port of the voice; no address: every voice is asked."""
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
    """Plan a control at the address or the resolver of a case; `port` is the one dialled if not given."""
    dns = kind in (ControlKind.KNOWN_NAME, ControlKind.SIBLING_NAME)
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
    """Return `<kind>:<subject>`, with what was compared where a probe has several addresses or voices."""
    size = f"/{max_segment}" if max_segment is not None else ""
    about = context.trail.resolver if context.failed_in is Phase.DNS else context.dialled[0]
    several = len({(one.address, one.resolver) for one in context.probe_trails}) > 1
    place = f"@{about}" if several else ""
    return f"{kind.value}:{context.probe.id}{place}{size}"
