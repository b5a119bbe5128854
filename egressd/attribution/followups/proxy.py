"""Controls through the proxy: another name in the same tunnel, another port, a look inside the session."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from msgspec.structs import replace

from egressd.attribution.control_results.contrast import ROUNDS
from egressd.attribution.control_results.tries import works_sometimes
from egressd.attribution.facts.proxy import BAD_GATEWAY, inspected_answer
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import hosts_on_path, is_forged
from egressd.attribution.followups.repeats import is_repeatable, is_silent, repeats_ran
from egressd.attribution.trail_judgement import TrailJudgement
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, ProxyObservation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.wording import host_port

SELF_EXPLAINING = frozenset({"proxy_page_for_tunnel", "tls_plaintext_block_page", "tls_not_tls"})
"""Codes that a comparison with another name adds nothing to."""
HANG_UPS = frozenset({Failure.TIMEOUT, Failure.CLOSED, Failure.RESET, Failure.ALERT, Failure.NOT_HTTP})
HTTPS_PORT = 443


def proxy_controls(one: TrailJudgement, *, tries: int) -> Iterator[ControlPlan]:
    """Yield the controls that one failed trail through a proxy calls for; `tries`: how often it is repeated.

    As on the direct way, what fails is repeated before it is compared. A refusal is not: it is an answer, and
    many wrong logins may lock an account.
    """
    context, code = one.context, one.causes[0].code
    if context.tcp is None:
        return
    if _may_be_chance(context) and not repeats_ran(context):
        why = "one silence or closed connection may be chance; what fails every time is a rule"
        repeat = _control(
            context, ControlKind.REPEAT, host=context.probe.host, protocol=context.probe.protocol, why=why
        )
        yield replace(repeat, tries=tries, quick=not is_silent(context))
    if works_sometimes(context) or not (is_silent(context) or repeats_ran(context) or _is_answer(context)):
        return
    yield from _comparisons(context, code)


def _comparisons(context: TrailContext, code: str) -> Iterator[ControlPlan]:
    if code == "proxy_denied" and context.tunnel is not None and context.probe.port != HTTPS_PORT:
        yield _control(
            context,
            ControlKind.PORT_CONTRAST,
            host=context.probe.host,
            port=HTTPS_PORT,
            why=f"a tunnel to port {HTTPS_PORT} of the same name tells a port rule from a name rule",
        )
    tls = context.tls
    unanswered = tls is not None and tls.failure is not None and not tls.server_hello
    if unanswered and code not in SELF_EXPLAINING and (other := _other_name(context)):
        compared = _control(
            context,
            ControlKind.SNI_CONTRAST,
            host=other,
            why="another server name in a tunnel to the same place tells a name rule from the place",
        )
        yield replace(compared, tries=ROUNDS)
    if is_forged(context) and inspected_answer(context) is None:
        yield _control(
            context,
            ControlKind.LOOK_INSIDE,
            host=context.probe.host,
            why="a look inside the forged session tells a deny page from mere inspection",
        )


def _may_be_chance(context: TrailContext) -> bool:
    """Whether the failure may end otherwise the next time."""
    failing = context.failing
    if isinstance(failing, ProxyObservation):
        return failing.failure in HANG_UPS or failing.status in BAD_GATEWAY
    return is_repeatable(context.trail)


def _is_answer(context: TrailContext) -> bool:
    """Whether something came that is no accident: a refusal of the proxy, or a certificate."""
    forged = context.tls is not None and context.tls.failure is Failure.VERIFY
    return forged or not _may_be_chance(context)


def _other_name(context: TrailContext) -> str:
    """Return a name to compare with: one that was answered through this proxy, else any that was not."""
    own = context.probe.host.lower()
    path = context.trail.path
    known = chain(context.index.once(_answered_in_tunnel).get(path, ()), hosts_on_path(context.index, path))
    return next((name for name in known if name.lower() != own), "")


def _answered_in_tunnel(index: SweepIndex) -> dict[str, list[str]]:
    return {path: sorted(names) for path, names in index.tunnel_answered_sni.items()}


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
        route=context.probe.route,
    )
