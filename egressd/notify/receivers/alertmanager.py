"""Prometheus' Alertmanager as a receiver. What it is sent, and when: `egressd.notify.alertmanager`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Literal

from egressd.model.notification import Feed, Receiver
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.content.message import Message
from egressd.notify.content.times import parse_timestamp
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import BaseUrls, LoginSettings
from egressd.notify.transport.http import HttpTransport, transport_of


class AlertmanagerSettings(LoginSettings):
    """Prometheus' Alertmanager: all open alerts, again and again, to every peer."""

    feed: ClassVar[Feed] = Feed.ALERTS

    type: Literal["alertmanager"]
    """Alertmanager's API, version 2."""
    urls: BaseUrls
    """Every peer, not a load balancer in front of them; the path of `--web.route-prefix` included."""

    def transport(self) -> HttpTransport:
        """Return how its peers are reached. Raises ValueError: a secret can't be read any more."""
        return self.http(*dict.fromkeys(self.urls))


class _Alertmanager:
    settings = AlertmanagerSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Push the alerts of the notices to each peer, as of the last notice."""
        notices, rules = message.notices, message.rules
        alerts, now = tuple(one.alert for one in notices), parse_timestamp(notices[-1].at)
        for url in transport_of(receiver).urls:
            yield partial(push_alerts, receiver, url, alerts, now=now, rules=rules)


RECEIVER: ReceiverType = _Alertmanager()
