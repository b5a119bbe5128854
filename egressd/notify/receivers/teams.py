"""Microsoft Teams: adaptive cards for a workflow, several where one would be too large.

What came from elsewhere stands in text runs, which read no Markdown; a text block would.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from egressd.model.notification import Receiver
from egressd.notify.content.compose import compose
from egressd.notify.content.layout import pack, part_suffix, split_section
from egressd.notify.content.message import ContentSection, Message, MessageContent
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import ChannelSettings
from egressd.notify.transport.answer import Success
from egressd.notify.transport.http import posts

CONTENT_TYPE = "application/json"
LARGEST = 28_000
"""Bytes of one message; Teams takes 28 KB."""
_LONGEST_BLOCK = 4000
"""Bytes of one section in JSON."""
_PARTS = 9999
"""As many parts as a title has room to count."""

SUCCESS = Success(
    words="what Teams says of a message that it has (202, or 200 and `1`)",
    holds=lambda answer: answer.status == 202 or answer.text.lower() in ("", "1", "ok") or answer.agrees,
)
"""Workflows answer 202; connectors 200 and `1`, also before an error that they name in words: `returned HTTP
error 413`."""

Element = dict[str, Any]


class TeamsSettings(ChannelSettings):
    """A channel in Microsoft Teams."""

    type: Literal["teams"]
    """A workflow of Teams that posts adaptive cards: its success is 202, or 200 and no error."""


class _Teams:
    settings = TeamsSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Post one message."""
        return posts(receiver, adaptive_cards(compose(message)), CONTENT_TYPE, success=SUCCESS)


RECEIVER: ReceiverType = _Teams()


def adaptive_cards(content: MessageContent) -> tuple[bytes, ...]:
    """Return the bodies of the POSTs, in order."""
    blocks = [
        _block(piece)
        for whole in content.sections
        for piece in split_section(whole, _LONGEST_BLOCK, _text_size)
    ]
    room = LARGEST - len(_card(content, (), part_suffix(_PARTS, _PARTS)))
    groups = pack(blocks, room, _size, most=_PARTS)
    return tuple(
        _card(content, group, part_suffix(number, len(groups))) for number, group in enumerate(groups, 1)
    )


def _card(content: MessageContent, blocks: tuple[Element, ...], part: str) -> bytes:
    title = _rich(_run(content.title + part, weight="bolder", size="large"))
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": content.title + part,
        "body": [title, *blocks],
        "msteams": {"width": "full"},
    }
    if content.link.startswith(("http://", "https://")):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Runbook", "url": content.link}]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return _json({"type": "message", "attachments": [attachment]})


def _block(section: ContentSection) -> Element:
    heading = (_run(f"{section.heading}\n", weight="bolder"),) if section.heading else ()
    text = _rich(*heading, _run("\n".join(section.lines)))
    return {**text, "separator": True} if section.heading else text


def _rich(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> Element:
    return {"type": "TextRun", "text": text, **style}


def _size(block: Element) -> int:
    return len(_json(block)) + len(",")


def _text_size(text: str) -> int:
    return len(_json(text)) - len('""')


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
