"""Slack: a title that fits is in the header only; a longer one is truncated there and repeated below."""

from __future__ import annotations

import json

import pytest

from egressd.notify.content.message import ContentSection, MessageContent
from egressd.notify.receivers.slack import slack_messages


def texts_of(body: bytes) -> list[str]:
    """Return the text of each block of a message."""
    return [one["text"]["text"] for one in json.loads(body)["blocks"]]


@pytest.mark.parametrize("length", [134, 136, 150])
def test_a_title_that_fits_is_shown_once(length: int) -> None:
    """The header takes 150 characters: up to there the title is in it and nowhere else."""
    title = "t" * length
    content = MessageContent(title=title, sections=(ContentSection(lines=("a line",)),))
    (body,) = slack_messages(content)
    assert texts_of(body) == [title, "a line"]


def test_a_title_that_is_cut_off_is_repeated_whole() -> None:
    """With 151 characters the header ends in an ellipsis, and the first block has all of it."""
    title = "t" * 151
    content = MessageContent(title=title, sections=(ContentSection(lines=("a line",)),))
    header, *blocks = texts_of(slack_messages(content)[0])
    assert len(header) <= 150
    assert header.endswith("…")
    assert blocks == [title, "a line"]


@pytest.mark.parametrize("length", [141, 142])
def test_the_number_of_the_part_needs_room_in_the_header(length: int) -> None:
    """Of several messages, the suffix ` (1 of 2)` counts: with it, 141 characters fit and 142 do not."""
    title = "t" * length
    section = ContentSection(lines=tuple("x" * 1000 for _ in range(12)))
    bodies = slack_messages(MessageContent(title=title, sections=(section,)))
    assert len(bodies) == 2
    shown = [text for body in bodies for text in texts_of(body)]
    assert (title in shown) is (length == 142)
    assert all(len(texts_of(body)[0]) <= 150 for body in bodies)
