"""Controls that send a ClientHello of another size or layout, each on its own connection."""

from __future__ import annotations

from egressd.model.observation import Observation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.probe.conversation import Conversation
from egressd.probe.via_proxy import tunnel_via_proxy

SHAPES = {
    ControlKind.LARGE_HELLO: ClientHelloShape.LARGE,
    ControlKind.SMALL_HELLO: ClientHelloShape.SMALL,
    ControlKind.SPLIT_HELLO: ClientHelloShape.SMALL,
    ControlKind.NO_SNI: ClientHelloShape.NO_SNI,
    ControlKind.SNI_LAST: ClientHelloShape.SNI_LAST,
}


async def probe_client_hello(
    conversation: Conversation, control: ControlPlan, *, address: str
) -> tuple[Observation, ...]:
    """Connect, directly or by a tunnel, send the ClientHello, and record whether a ServerHello answers."""
    try:
        if await _connect(conversation, control, address):
            split = control.kind is ControlKind.SPLIT_HELLO
            await conversation.hello(control.host, SHAPES[control.kind], split=split)
    finally:
        conversation.close()
    return tuple(conversation.seen)


async def _connect(conversation: Conversation, control: ControlPlan, address: str) -> bool:
    if control.tunnel:
        return await tunnel_via_proxy(conversation, address, authority=control.tunnel)
    return await conversation.dial(address, control.port, max_segment=control.max_segment)
