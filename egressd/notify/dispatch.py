"""One delivery: what a receiver of its kind is sent, part by part, and where it stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from egressd import clock
from egressd.model.alert import Notice
from egressd.model.notification import (
    Alerting,
    HttpTransport,
    Receiver,
    ReceiverKind,
    SmtpTransport,
    SyslogTransport,
)
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.content.compose import compose
from egressd.notify.outbox import FOR_PEOPLE
from egressd.notify.receivers import cloudevents, slack, teams, webhook
from egressd.notify.receivers.email import mail
from egressd.notify.receivers.journald import entry, send_entry
from egressd.notify.receivers.syslog import lines, send_line
from egressd.notify.result import DeliveryResult, arrived
from egressd.notify.transport.http import HttpRequest, send
from egressd.notify.transport.smtp import send_mail

Batch = tuple[Notice, ...]
Part = Callable[[], Awaitable[DeliveryResult]]
"""One part of a message, ready to go."""
Write = Callable[[Receiver, Batch, int, Alerting], Iterable[Part]]
"""Write the message of one notice, or of a digest, with how many were dropped before."""


async def deliver(
    receiver: Receiver, batch: Batch, *, dropped: int, rules: Alerting, skip: int = 0
) -> DeliveryResult:
    """Deliver notices, in order: as a digest where people read and there are more than `receiver.digest`.

    The count of `dropped` notices goes with the first. `skip` is how many parts of the first
    message have arrived already. Each part may take the receiver's timeout.
    """
    why, done = "", 0
    for message in _messages(receiver, batch):
        parts = tuple(_WRITE[receiver.kind](receiver, message, 0 if done else dropped, rules))
        for number, part in tuple(enumerate(parts))[skip:]:
            delivery = await part()
            if not delivery.ok:
                return replace(delivery, delivered=done, parts=number)
            why = why or delivery.why
        done, skip = done + len(message), 0
    return replace(arrived(why), delivered=done)


async def beat(receiver: Receiver) -> DeliveryResult:
    """Call a heartbeat's URL."""
    (url,) = _urls(receiver)
    return await send(receiver, url, HttpRequest())


def _messages(receiver: Receiver, batch: Batch) -> Iterator[Batch]:
    if receiver.kind in FOR_PEOPLE and len(batch) > receiver.digest:
        yield batch
    else:
        yield from ((one,) for one in batch)


def _post(receiver: Receiver, bodies: Iterable[bytes], content_type: str) -> Iterator[Part]:
    (url,) = _urls(receiver)
    for body in bodies:
        request = HttpRequest(body=body, content_type=content_type)
        yield partial(send, receiver, url, request)


def _slack(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    return _post(receiver, slack.messages(compose(message, dropped=dropped, rules=rules)), slack.TYPE)


def _teams(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    return _post(receiver, teams.cards(compose(message, dropped=dropped, rules=rules)), teams.TYPE)


def _webhook(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    (notice,) = message
    body = webhook.webhook(notice, dropped=dropped, receiver=receiver.name, rules=rules)
    return _post(receiver, (body,), webhook.TYPE)


def _events(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    (notice,) = message
    return _post(receiver, cloudevents.events(notice, dropped=dropped, rules=rules), cloudevents.TYPE)


def _mail(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    if not isinstance(receiver.transport, SmtpTransport):
        raise TypeError(f"{receiver.name}: mail needs a mail server")
    request = mail(message, dropped=dropped, transport=receiver.transport, rules=rules)
    yield partial(send_mail, receiver, request)


def _journal(_: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    (notice,) = message
    datagram = entry(notice, dropped=dropped, rules=rules)
    yield partial(send_entry, datagram)


def _syslog(receiver: Receiver, message: Batch, dropped: int, rules: Alerting) -> Iterable[Part]:
    (notice,) = message
    if not isinstance(receiver.transport, SyslogTransport):
        raise TypeError(f"{receiver.name}: syslog needs an address")
    for line in lines(notice, dropped=dropped, transport=receiver.transport, rules=rules):
        yield partial(send_line, receiver, line)


def _alertmanager(receiver: Receiver, message: Batch, _: int, rules: Alerting) -> Iterable[Part]:
    alerts = tuple(one.alert for one in message)
    for url in _urls(receiver):
        yield partial(push_alerts, receiver, url, alerts, now=clock.now(), rules=rules)


def _heartbeat(receiver: Receiver, *_: object) -> Iterable[Part]:
    yield partial(beat, receiver)


def _urls(receiver: Receiver) -> tuple[str, ...]:
    if not isinstance(receiver.transport, HttpTransport):
        raise TypeError(f"{receiver.name}: a receiver of kind {receiver.kind.value} needs a URL")
    return receiver.transport.urls


_WRITE: Mapping[ReceiverKind, Write] = {
    ReceiverKind.ALERTMANAGER: _alertmanager,
    ReceiverKind.WEBHOOK: _webhook,
    ReceiverKind.CLOUDEVENTS: _events,
    ReceiverKind.SLACK: _slack,
    ReceiverKind.TEAMS: _teams,
    ReceiverKind.EMAIL: _mail,
    ReceiverKind.JOURNALD: _journal,
    ReceiverKind.SYSLOG: _syslog,
    ReceiverKind.HEARTBEAT: _heartbeat,
}
