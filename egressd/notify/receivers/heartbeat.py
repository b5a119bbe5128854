"""Heartbeats: a URL that is called after each completed sweep, so that a missing call is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Literal

from egressd.model.notification import Feed, Receiver
from egressd.notify.content.message import Message
from egressd.notify.heartbeat import call_heartbeat
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import UrlSettings


class HeartbeatSettings(UrlSettings):
    """A URL that is called whenever a sweep was completed, so that a missing call is noticed elsewhere."""

    feed: ClassVar[Feed] = Feed.SWEEPS

    type: Literal["heartbeat"]
    """A GET, and nothing of alerts: it belongs into no route."""


class _Heartbeat:
    settings = HeartbeatSettings

    def parts(self, receiver: Receiver, _: Message) -> Iterable[Part]:
        """Call the URL once, whatever the notices."""
        yield partial(call_heartbeat, receiver)


RECEIVER: ReceiverType = _Heartbeat()
