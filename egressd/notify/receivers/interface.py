"""What a receiver type is: its settings, and the messages it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from egressd.model.alert import Notice
from egressd.model.notification import Alerting, Receiver
from egressd.notify.interface import Part
from egressd.notify.schema import ReceiverSettings


class ReceiverType(Protocol):
    """One type of receiver."""

    @property
    def settings(self) -> type[ReceiverSettings]:
        """What `notify.receivers` says of it; the literal `type` is its name."""
        ...

    def parts(
        self, receiver: Receiver, notices: Sequence[Notice], *, dropped: int, rules: Alerting
    ) -> Iterable[Part]:
        """Write one message, as parts to send in order; a retry gives the same parts.

        There is one notice, unless the settings have a `digest`. `dropped` notices before it were lost to the
        bound of the queue: the message says so.
        """
        ...
