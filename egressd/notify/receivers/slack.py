"""Slack: messages in blocks through an incoming webhook, several where one would be too long.

What came from elsewhere stands in `plain_text`, which reads no markup; `& < >` are escaped all the same, for
Slack reads `<!channel>` wherever it can. The only markup is the link to the runbook, which is ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import quote

from egressd.model.notification import Receiver
from egressd.notify.content.compose import compose
from egressd.notify.content.layout import pack, part_suffix, section_text, split_section
from egressd.notify.content.message import ContentSection, Message, MessageContent
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import ChannelSettings
from egressd.notify.transport.answer import BUSY, GIVEN_UP, NO_SUCH_PLACE, Success
from egressd.notify.transport.http import posts

CONTENT_TYPE = "application/json"
LONGEST_HEADER = 150
LONGEST_SECTION = 2900
"""Characters; Slack takes fewer than 3000."""
LONGEST_MESSAGE = 12_000
"""Characters of all blocks: Slack's figures differ from place to place, and this is below each of them."""
MOST_BLOCKS = 50
_OURS = 2
"""Blocks of each message besides the text: its title and its link."""
_URL = "!#$%&'()*+,/:;=?@[]~"
"""What may stand in a URL; `|`, `<` and `>` would end it early."""

SUCCESS = Success(
    words="`ok`, as Slack does",
    holds=lambda answer: answer.text.lower() == "ok" or answer.agrees,
    errors={
        **dict.fromkeys(("invalid_payload", "invalid_blocks", "no_text", "too_many_attachments"), GIVEN_UP),
        **dict.fromkeys(
            (
                "invalid_token",
                "no_service",
                "no_service_id",
                "no_team",
                "no_active_hooks",
                "team_disabled",
                "user_not_found",
                "channel_not_found",
                "channel_is_archived",
                "action_prohibited",
                "posting_to_general_channel_denied",
            ),
            NO_SUCH_PLACE,
        ),
        "rate_limited": BUSY,
        "rollup_error": BUSY,
    },
)
"""Slack answers `ok`, or an error code (Slack's "Sending messages using incoming webhooks"); some of those
who understand the same say so in JSON."""

Block = dict[str, Any]


class SlackSettings(ChannelSettings):
    """A channel in Slack."""

    type: Literal["slack"]
    """An incoming webhook of Slack, or of what understands the same: its success is `ok`."""


class _Slack:
    settings = SlackSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Post one message."""
        return posts(receiver, slack_messages(compose(message)), CONTENT_TYPE, success=SUCCESS)


RECEIVER: ReceiverType = _Slack()


def slack_messages(content: MessageContent) -> tuple[bytes, ...]:
    """Return the bodies of the POSTs, in order. A title that the header cuts off is repeated whole below."""
    groups = _groups(content.sections)
    if len(_escape(content.title)) > LONGEST_HEADER - len(part_suffix(len(groups), len(groups))):
        groups = _groups((ContentSection(lines=(content.title,)), *content.sections))
    return tuple(
        _message(content, group, part_suffix(number, len(groups))) for number, group in enumerate(groups, 1)
    )


def _groups(sections: Iterable[ContentSection]) -> tuple[tuple[str, ...], ...]:
    """Return the texts of the blocks of each message."""
    pieces = [piece for whole in sections for piece in split_section(whole, LONGEST_SECTION, _size)]
    texts = [section_text(one) for one in pieces]
    return pack(texts, LONGEST_MESSAGE - LONGEST_SECTION, _size, most=MOST_BLOCKS - _OURS)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(content: MessageContent, texts: tuple[str, ...], part: str) -> bytes:
    blocks = [_header(content.title, part), *(_section(text) for text in texts)]
    if content.link:
        blocks.append(_link(content.link))
    document = {
        "text": f"{_escape(content.title)}{part}",
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _header(title: str, part: str) -> Block:
    """Return the title, cut off where it is too long."""
    room = LONGEST_HEADER - len(part)
    while len(_escape(title)) > room:
        title = title[: -max(1, len(title) // 20) - 1].rstrip() + "…"
    return {"type": "header", "text": _plain(_escape(title) + part)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(_escape(text))}


def _link(url: str) -> Block:
    text = f"<{quote(url, safe=_URL).replace('&', '&amp;')}|Runbook>"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _size(text: str) -> int:
    return len(_escape(text))
