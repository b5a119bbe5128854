"""A content as Slack messages in blocks, several where one would be too long.

What came from elsewhere stands in `plain_text`, which reads no markup; `& < >` are escaped all the same, for
Slack reads `<!channel>` wherever it can. The only markup is the link to the runbook, which is ours.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from egressd.notify.content.content import ContentSection, MessageContent
from egressd.notify.content.layout import pack, part_suffix, section_text, split_section

TYPE = "application/json"
LONGEST_HEADER = 150
LONGEST_SECTION = 2900
"""Characters; Slack takes fewer than 3000."""
LONGEST_MESSAGE = 12_000
"""Characters of all blocks: Slack's figures differ from place to place, and this is below each of them."""
MOST_BLOCKS = 50
_OURS = 2
"""Blocks of each message besides the text: its title and its link."""
_PART = len(" (9999 of 9999)")
_URL = "!#$%&'()*+,/:;=?@[]~"
"""What may stand in a URL; `|`, `<` and `>` would end it early."""

Block = dict[str, Any]


def messages(content: MessageContent) -> tuple[bytes, ...]:
    """Return the bodies of the POSTs, in order."""
    long = len(escaped(content.title)) > LONGEST_HEADER - _PART
    wholes = (*((ContentSection(lines=(content.title,)),) if long else ()), *content.sections)
    sections = [piece for whole in wholes for piece in split_section(whole, LONGEST_SECTION, _size)]
    texts = [section_text(one) for one in sections]
    groups = pack(texts, LONGEST_MESSAGE - LONGEST_SECTION, _size, most=MOST_BLOCKS - _OURS)
    return tuple(
        _message(content, group, part_suffix(number, len(groups))) for number, group in enumerate(groups, 1)
    )


def escaped(text: str) -> str:
    """Return text that means nothing to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(content: MessageContent, texts: tuple[str, ...], part: str) -> bytes:
    blocks = [_header(content.title, part), *(_section(text) for text in texts)]
    if content.link:
        blocks.append(_link(content.link))
    document = {
        "text": f"{escaped(content.title)}{part}",
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _header(title: str, part: str) -> Block:
    """Return the title, cut off where it is too long."""
    room = LONGEST_HEADER - len(part)
    while len(escaped(title)) > room:
        title = title[: -max(1, len(title) // 20) - 1].rstrip() + "…"
    return {"type": "header", "text": _plain(escaped(title) + part)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(escaped(text))}


def _link(url: str) -> Block:
    text = f"<{quote(url, safe=_URL).replace('&', '&amp;')}|Runbook>"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _size(text: str) -> int:
    return len(escaped(text))
