"""One delivery: the messages of a batch, part by part, and where it stopped."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from egressd.model.alert import Notice
from egressd.model.notification import Alerting, Receiver
from egressd.notify.content.message import Message
from egressd.notify.result import DeliveryResult, arrived

Batch = tuple[Notice, ...]


async def deliver(
    receiver: Receiver, batch: Batch, *, dropped: int, rules: Alerting, skip: int = 0
) -> DeliveryResult:
    """Deliver notices in order; more than `receiver.digest` of them are one message.

    The first message says how many notices were `dropped` before. `skip` is how many parts of the first
    message have arrived already. Each part may take the receiver's timeout.
    """
    # The settings of receivers need pydantic: without a configuration file there are none, and no delivery.
    from egressd.notify.receivers import BY_TYPE  # noqa: PLC0415

    why, done = "", 0
    for notices in _messages(receiver, batch):
        message = Message(notices=notices, dropped=0 if done else dropped, rules=rules)
        parts = BY_TYPE[receiver.type].parts(receiver, message)
        for number, part in tuple(enumerate(parts))[skip:]:
            delivery = await part()
            if not delivery.ok:
                return replace(delivery, delivered=done, parts=number)
            why = why or delivery.why
        done, skip = done + len(notices), 0
    return replace(arrived(why), delivered=done)


def _messages(receiver: Receiver, batch: Batch) -> Iterator[Batch]:
    if receiver.digest is not None and len(batch) > receiver.digest:
        yield batch
    else:
        yield from ((one,) for one in batch)
