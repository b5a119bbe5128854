"""Receivers of every type, without a configuration file."""

from __future__ import annotations

from msgspec.structs import replace

from egressd.model.notification import Receiver
from egressd.notify.receivers import BY_TYPE
from egressd.notify.schema import DigestSettings
from egressd.notify.transport.http import HttpTransport


def sample_receiver(type_name: str, name: str = "hook", **fields: object) -> Receiver:
    """Return a receiver of a type, with the defaults of its settings and no address."""
    settings = BY_TYPE[type_name].settings
    made = Receiver(name=name, type=type_name, transport=HttpTransport(urls=()), feed=settings.feed)
    if issubclass(settings, DigestSettings):
        made = replace(made, digest=5, wait=5.0)
    return replace(made, **fields)
