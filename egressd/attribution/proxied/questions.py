"""What to ask through the proxy: another name in the same tunnel, another port, a look inside."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.assess import Assessment
from egressd.attribution.facts.case import Case
from egressd.attribution.facts.proxy import inside
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, Phase
from egressd.model.plan import ControlKind, ControlPlan
from egressd.wording import host_port

CLOSED = frozenset({"proxy_tunnel_closed_on_sni", "proxy_tunnel_stall"})
SILENT = frozenset({"proxy_tunnel_stall", "proxy_upstream_timeout"})
USUAL_PORT = 443


def ask_through(one: Assessment) -> Iterator[ControlPlan]:
    """Yield the controls that one failed trail through a proxy calls for."""
    case, code = one.case, one.causes[0].code
    if case.tcp is None:
        return
    if code == "proxy_denied" and case.tunnel is not None and case.probe.port != USUAL_PORT:
        yield _control(
            case,
            ControlKind.PORT_CONTRAST,
            host=case.probe.host,
            port=USUAL_PORT,
            why=f"a tunnel to port {USUAL_PORT} of the same name tells a port rule from a name rule",
        )
    if code in CLOSED and (other := _other_name(case)):
        yield _control(
            case,
            ControlKind.SNI_CONTRAST,
            host=other,
            why="another server name in a tunnel to the same place tells a name rule from the place",
        )
    if code in CLOSED or (code in SILENT and case.failed_in is Phase.PROXY):
        yield _control(
            case,
            ControlKind.REPEAT,
            host=case.probe.host,
            protocol=case.probe.protocol,
            why="silence or a hang-up once may be chance; twice is a rule",
        )
    if _is_forged(case) and inside(case) is None:
        yield _control(
            case,
            ControlKind.LOOK_INSIDE,
            host=case.probe.host,
            why="a look inside the forged session tells a deny page from mere inspection",
        )


def _is_forged(case: Case) -> bool:
    tls = case.tls
    if tls is None or tls.failure is not Failure.VERIFY or tls.facts is None:
        return False
    return tls.facts.publicly_anchored is False


def _other_name(case: Case) -> str:
    """Return a name to compare with: one that was answered through this proxy, else any that was not."""
    mine = case.probe.host.lower()
    heard = sorted(case.whole.heard.get(case.trail.path, frozenset()))
    planned = sorted(one.host for one in case.whole.probes.values() if one.via_proxy and not one.siblings)
    return next((name for name in (*heard, *planned) if name.lower() != mine), "")


def _control(
    case: Case,
    kind: ControlKind,
    *,
    host: str,
    why: str,
    port: int | None = None,
    protocol: Protocol = Protocol.TLS,
) -> ControlPlan:
    port = port or case.probe.port
    return ControlPlan(
        id=f"{kind.value}:{case.probe.id}",
        kind=kind,
        source=case.source,
        subject=case.probe.id,
        why=why,
        host=host,
        address=case.dialled[0],
        port=port,
        protocol=protocol,
        tunnel=host_port(case.probe.host, port),
    )
