"""What a receiver is given to write, and the content of a message for people, which receivers lay out."""

from __future__ import annotations

from msgspec import Struct

from egressd.model.alert import Notice
from egressd.model.notification import Alerting


class Message(Struct, frozen=True, kw_only=True):
    """What one message is made from."""

    notices: tuple[Notice, ...]
    """One, or several where the receiver takes digests."""
    dropped: int
    """How many notices before them were dropped, which the message reports."""
    rules: Alerting

    @property
    def notice(self) -> Notice:
        """The only notice."""
        (notice,) = self.notices
        return notice


class ContentSection(Struct, frozen=True, kw_only=True):
    """Lines under a heading, or under none."""

    heading: str = ""
    lines: tuple[str, ...]


class MessageContent(Struct, frozen=True, kw_only=True):
    """What a message for people says, whatever its format."""

    title: str
    sections: tuple[ContentSection, ...]
    link: str = ""
    """The runbook; empty: there is none, or there are many."""
