"""The receiver types, one module each: settings, message and sending.

A module writes the same message for the same notices: it asks neither clock nor chance, and text comes from
`content`, which scrubs it. What it sends with is imported when something is sent.
"""

from collections.abc import Mapping

from egressd.notify.receivers import (
    alertmanager,
    cloudevents,
    email,
    heartbeat,
    journald,
    slack,
    syslog,
    teams,
    webhook,
)
from egressd.notify.receivers.interface import ReceiverType

RECEIVERS: tuple[ReceiverType, ...] = (
    alertmanager.RECEIVER,
    webhook.RECEIVER,
    cloudevents.RECEIVER,
    slack.RECEIVER,
    teams.RECEIVER,
    email.RECEIVER,
    journald.RECEIVER,
    syslog.RECEIVER,
    heartbeat.RECEIVER,
)
"""Every type, in the order of the reference."""

BY_TYPE: Mapping[str, ReceiverType] = {one.settings.type_name(): one for one in RECEIVERS}
