"""The receiver types, one module each: settings, message and sending.

A module writes the same message for the same notices: it asks neither clock nor chance, and text comes from
`content`, which scrubs it. What it sends with is imported when something is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter, ValidationInfo

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
from egressd.notify.schema import ReceiverSettings

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


def parse_receiver(data: object, info: ValidationInfo) -> ReceiverSettings:
    """Validate an item of `notify.receivers` by its `type`. Raises pydantic's ValidationError."""
    return _adapter().validate_python(data, context=info.context)


@cache
def _adapter() -> TypeAdapter[ReceiverSettings]:
    union: Any = Union[tuple(one.settings for one in RECEIVERS)]  # noqa: UP007 - made from a table
    return TypeAdapter(Annotated[union, Field(discriminator="type")])
