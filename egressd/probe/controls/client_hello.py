"""Controls that send a ClientHello of another size or layout, each on its own connection."""

from __future__ import annotations

from egressd.model.observation import Observation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.net.dial import dial
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.net.tls.hello_probe import send_client_hello
from egressd.probe.budget import Deadline
from egressd.probe.context import ProbeContext

SHAPES = {
    ControlKind.LARGE_HELLO: ClientHelloShape.LARGE,
    ControlKind.SMALL_HELLO: ClientHelloShape.SMALL,
    ControlKind.SPLIT_HELLO: ClientHelloShape.SMALL,
    ControlKind.NO_SNI: ClientHelloShape.NO_SNI,
    ControlKind.SNI_LAST: ClientHelloShape.SNI_LAST,
}


async def probe_client_hello(
    control: ControlPlan, address: str, context: ProbeContext, *, seconds: float
) -> tuple[Observation, ...]:
    """Connect, send the control's ClientHello, and record whether a ServerHello answers."""
    deadline = Deadline.after(seconds)
    connected, stream = await dial(
        address,
        control.port,
        source=context.source(control.source),
        timeout=deadline.left(context.limits.connect_timeout),
        max_segment=control.max_segment,
    )
    if stream is None:
        return (connected,)
    try:
        answered = await send_client_hello(
            stream,
            control.host,
            SHAPES[control.kind],
            timeout=deadline.left(context.limits.tls_timeout),
            split=control.kind is ControlKind.SPLIT_HELLO,
        )
    finally:
        stream.close()
    return connected, answered
