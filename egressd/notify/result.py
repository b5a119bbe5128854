"""How one attempt to deliver ended."""

from __future__ import annotations

from msgspec import Struct


class DeliveryResult(Struct, frozen=True, kw_only=True):
    """How a delivery of one or more notices ended.

    A batch may take several messages, and a message several parts: where sending breaks off in the middle,
    `delivered` and `parts` say what has arrived, so that it is not sent twice.
    """

    ok: bool
    """Whether all of it arrived."""
    retry: bool = False
    """Whether trying again can help."""
    answered: bool = False
    """Where not `ok`: whether somebody answered. The message may be the reason then."""
    retry_after: float | None = None
    """Seconds the receiver asks us to wait before that (`Retry-After`), bounded."""
    why: str = ""
    """For people: what happened, where, what to do. No secret, no path or query of a URL. Not empty where
    `ok` is false; where it is true, something to know all the same, such as a recipient that was refused."""
    delivered: int = 0
    """How many notices have arrived whole, counted from the beginning of the batch."""
    parts: int = 0
    """Where not `ok`: how many parts of the message after those have arrived. Give them to the next try of
    the same batch without its first `delivered` notices as `skip`."""


def arrived(why: str = "") -> DeliveryResult:
    """Return that it arrived."""
    return DeliveryResult(ok=True, why=why)


def refused(why: str) -> DeliveryResult:
    """Return that the receiver will never take it as it is."""
    return DeliveryResult(ok=False, why=why)


def failed(why: str, *, retry_after: float | None = None, answered: bool = False) -> DeliveryResult:
    """Return that it did not arrive now, and may later."""
    return DeliveryResult(ok=False, retry=True, retry_after=retry_after, why=why, answered=answered)
