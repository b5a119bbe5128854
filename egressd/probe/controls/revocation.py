"""Fetching what a received chain names: CRLs, OCSP servers, issuers. One plain GET each, read in part."""

from __future__ import annotations

from dataclasses import replace

from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlPlan, Probe
from egressd.model.recording import Trail
from egressd.probe.budget import Deadline
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, converse
from egressd.probe.names import follow_names
from egressd.probe.proxied import walk_through_proxy


async def fetch_url(control: ControlPlan, context: ProbeContext, *, seconds: float) -> tuple[Trail, ...]:
    """Fetch the control's URL the way programs would: names, the first address, one request."""
    deadline = Deadline.after(seconds)
    source = context.source(control.source)
    probe = Probe(
        id=control.id,
        host=control.host,
        port=control.port,
        protocol=Protocol.HTTP,
        source=control.source,
        targets=(),
        url_path=control.url,
        via_proxy=control.via_proxy,
        connect_to=control.connect_to,
    )
    if probe.via_proxy:
        return await walk_through_proxy(probe, context, source=source, deadline=deadline)
    leads, elsewhere = await follow_names(probe, context, source=source, deadline=deadline)
    if not leads:
        return elsewhere
    conversation = Conversation(probe=probe, context=context, deadline=deadline, seen=[], store=context.store)
    await converse(conversation, leads[0].dial_address, leads[0].dial_port or probe.port)
    trail = leads[0].trail(source)
    return (replace(trail, observations=(*trail.observations, *conversation.seen)),)
