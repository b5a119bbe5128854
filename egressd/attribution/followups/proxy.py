"""Controls through the proxy: another name in the same tunnel, another port, a look inside the session."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.proxy import inspected_answer
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import is_forged, planned_hosts
from egressd.attribution.trail_judgement import TrailJudgement
from egressd.model.endpoint import Protocol
from egressd.model.observation import Phase
from egressd.model.plan import ControlKind, ControlPlan
from egressd.wording import host_port

CLOSED = frozenset({"proxy_tunnel_closed_on_sni", "proxy_tunnel_stall"})
SILENT = frozenset({"proxy_tunnel_stall", "proxy_upstream_timeout"})
HTTPS_PORT = 443


def proxy_controls(one: TrailJudgement) -> Iterator[ControlPlan]:
    """Yield the controls that one failed trail through a proxy calls for."""
    context, code = one.context, one.causes[0].code
    if context.tcp is None:
        return
    if code == "proxy_denied" and context.tunnel is not None and context.probe.port != HTTPS_PORT:
        yield _control(
            context,
            ControlKind.PORT_CONTRAST,
            host=context.probe.host,
            port=HTTPS_PORT,
            why=f"a tunnel to port {HTTPS_PORT} of the same name tells a port rule from a name rule",
        )
    if code in CLOSED and (other := _other_name(context)):
        yield _control(
            context,
            ControlKind.SNI_CONTRAST,
            host=other,
            why="another server name in a tunnel to the same address tells a name rule from the address",
        )
    if code in CLOSED or (code in SILENT and context.failed_in is Phase.PROXY):
        yield _control(
            context,
            ControlKind.REPEAT,
            host=context.probe.host,
            protocol=context.probe.protocol,
            why="one silence or closed connection may be chance; two are a rule",
        )
    if is_forged(context) and inspected_answer(context) is None:
        yield _control(
            context,
            ControlKind.LOOK_INSIDE,
            host=context.probe.host,
            why="a look inside the forged session tells a deny page from mere inspection",
        )


def _other_name(context: TrailContext) -> str:
    """Return a name to compare with: one that was answered through this proxy, else any that was not."""
    own = context.probe.host.lower()
    answered = sorted(context.index.tunnel_answered_sni.get(context.trail.path, frozenset()))
    known = (*answered, *planned_hosts(context, via_proxy=True))
    return next((name for name in known if name.lower() != own), "")


def _control(
    context: TrailContext,
    kind: ControlKind,
    *,
    host: str,
    why: str,
    port: int | None = None,
    protocol: Protocol = Protocol.TLS,
) -> ControlPlan:
    port = port or context.probe.port
    return ControlPlan(
        id=f"{kind.value}:{context.probe.id}",
        kind=kind,
        source=context.source,
        subject=context.probe.id,
        why=why,
        host=host,
        address=context.dialled[0],
        port=port,
        protocol=protocol,
        tunnel=host_port(context.probe.host, port),
    )
