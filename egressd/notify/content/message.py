"""What a receiver is given to write, and the content of a message for people, which receivers lay out."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.model.alert import Notice
from egressd.model.notification import Alerting


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSection:
    """Lines under a heading, or under none."""

    heading: str = ""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """What a message for people says, whatever its format."""

    title: str
    sections: tuple[ContentSection, ...]
    link: str = ""
    """The runbook; empty: there is none, or there are many."""
