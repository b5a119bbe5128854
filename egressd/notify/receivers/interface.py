"""What a receiver type is: its settings, and the messages it writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from egressd.model.notification import Receiver
from egressd.notify.content.message import Message
from egressd.notify.interface import Part
from egressd.notify.schema import ReceiverSettings


class ReceiverType(Protocol):
    """One type of receiver."""

    @property
    def settings(self) -> type[ReceiverSettings]:
        """What `notify.receivers` says of it; the literal `type` is its name."""
        ...

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Write a message as parts to send in order; a retry gives the same parts."""
        ...
