"""Controls that fetch a URL, such as that of a CRL, an OCSP server or an issuer: one GET, read in part."""

from __future__ import annotations

from egressd.destination import is_admitted_address
from egressd.model.plan import ControlPlan, Probe
from egressd.model.recording import Trail
from egressd.net.sockets.kernel import leads_to_this_host
from egressd.probe.budget import Deadline
from egressd.probe.candidates import Candidate, find_candidates
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_probe_via_proxy


def as_probe(control: ControlPlan) -> Probe:
    """Return a control that is a whole conversation as the probe that holds it."""
    return Probe(
        id=control.id,
        host=control.host,
        port=control.port,
        protocol=control.protocol,
        source=control.source,
        targets=(),
        url_path=control.url,
        route=control.route,
        via_proxy=control.via_proxy,
        connect_to=control.connect_to,
    )


async def fetch_url(control: ControlPlan, context: ProbeContext, *, seconds: float) -> tuple[Trail, ...]:
    """Fetch the control's URL as programs do: look up, connect to the first address, send one request.

    A peer chose the name, and may have chosen its addresses: those that it may not send this host to are not
    connected to, and leave a trail that ends with DNS.
    """
    deadline = Deadline.after(seconds)
    source = context.source(control.source)
    probe = as_probe(control)
    if probe.via_proxy:
        return await run_probe_via_proxy(probe, context, source=source, deadline=deadline)
    candidates, others = await find_candidates(probe, context, source=source, deadline=deadline)
    admitted = [one for one in candidates if _is_admitted(one, control, context)]
    if not admitted:
        return (*(one.trail(source) for one in candidates), *others)
    conversation = Conversation(probe=probe, context=context, deadline=deadline)
    await run_conversation(conversation, admitted[0].dial_address, admitted[0].dial_port)
    return (admitted[0].trail(source, seen=conversation.seen),)


def _is_admitted(one: Candidate, control: ControlPlan, context: ProbeContext) -> bool:
    """Return whether to connect to an address: `connect_to` is the operator's own word."""
    if one.redirected:
        return True
    networks = context.plan.trust.public_networks
    admitted = is_admitted_address(one.dial_address, private=control.private, public_networks=networks)
    return admitted and not leads_to_this_host(one.dial_address)
