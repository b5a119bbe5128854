"""Planning one control about a case: where it goes, and what it is called."""

from __future__ import annotations

from egressd.attribution.facts.case import Case
from egressd.model.endpoint import Protocol
from egressd.model.observation import Phase
from egressd.model.plan import ControlKind, ControlPlan

DNS_PORT = 53


def other_host(case: Case) -> str:
    """Return a name to compare with: one that worked, else any other of the plan; empty: there is none."""
    own = {case.probe.host.lower(), (case.tls.sni if case.tls is not None else "").lower()}
    worked = sorted(name for names in case.whole.greeted.values() for name in names)
    planned = sorted(
        probe.host for probe in case.whole.probes.values() if not probe.siblings and not probe.via_proxy
    )
    return next((name for name in (*worked, *planned) if name.lower() not in own and _is_name(name)), "")


def _is_name(text: str) -> bool:
    return any(letter.isalpha() for letter in text) and ":" not in text


def _resolver(case: Case) -> tuple[str | None, int]:
    """Return the address and port of the voice; no address: every voice is asked."""
    named = (one for one in case.whole.recording.plan.resolvers if one.name == case.trail.resolver)
    configured = next((one for one in named if one.address), None)
    if configured is not None:
        return configured.address, configured.port
    host, _, port = case.trail.resolver.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else (None, DNS_PORT)


def control_about(
    case: Case,
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
    address, usual_port = _resolver(case) if dns else case.dialled
    return ControlPlan(
        id=_identity(kind, case, max_segment),
        kind=kind,
        source=case.source,
        subject=case.probe.id,
        host=host,
        address=address,
        port=port or usual_port,
        protocol=Protocol.DNS if dns else protocol,
        resolver=case.trail.resolver if dns else None,
        max_segment=max_segment,
        why=why,
    )


def _identity(kind: ControlKind, case: Case, max_segment: int | None) -> str:
    """Return `<kind>:<subject>`, with what was compared where a probe has several addresses or voices."""
    size = f"/{max_segment}" if max_segment is not None else ""
    about = case.trail.resolver if case.failed_in is Phase.DNS else case.dialled[0]
    several = len({(one.address, one.resolver) for one in case.siblings}) > 1
    place = f"@{about}" if several else ""
    return f"{kind.value}:{case.probe.id}{place}{size}"
