"""Controls that fetch a URL, such as that of a CRL, an OCSP server or an issuer: one GET, read in part."""

from __future__ import annotations

from egressd.model.plan import ControlPlan, Probe
from egressd.model.recording import Trail
from egressd.probe.budget import Deadline
from egressd.probe.candidates import find_candidates
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_probe_via_proxy


async def fetch_url(control: ControlPlan, context: ProbeContext, *, seconds: float) -> tuple[Trail, ...]:
    """Fetch the control's URL as programs do: look up, connect to the first address, send one request."""
    deadline = Deadline.after(seconds)
    source = context.source(control.source)
    probe = Probe(
        id=control.id,
        host=control.host,
        port=control.port,
        protocol=control.protocol,
        source=control.source,
        targets=(),
        url_path=control.url,
        via_proxy=control.via_proxy,
        connect_to=control.connect_to,
    )
    if probe.via_proxy:
        return await run_probe_via_proxy(probe, context, source=source, deadline=deadline)
    candidates, others = await find_candidates(probe, context, source=source, deadline=deadline)
    if not candidates:
        return others
    conversation = Conversation(probe=probe, context=context, deadline=deadline)
    await run_conversation(conversation, candidates[0].dial_address, candidates[0].dial_port)
    return (candidates[0].trail(source, seen=conversation.seen),)
