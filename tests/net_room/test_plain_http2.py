"""HTTP/2 that is read without h2: whatever a server sends, what is seen is what h2 makes of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from h2.settings import SettingCodes
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from egressd.net.exchange import Request, exchange
from egressd.net.http.frames import frame_bytes
from egressd.net.http.plain_http2 import OWN_SETTINGS, WINDOW, PlainConnection, opening

REQUEST = Request(host="web.test")
NUMBERS = st.sampled_from(
    [0, 1, 2, 4096, 16_383, 16_384, 65_535, 2**24, 2**31 - 2**16, 2**31 - 1, 2**31, 2**32 - 1]
)
STREAMS = st.sampled_from([1, 1, 1, 0, 0, 2, 3, 2**31 + 1])
FLAGS = st.sampled_from([0, 0, 1, 4, 4, 5, 5, 8, 12, 13, 32, 36, 64])
SETTING = st.tuples(st.integers(0, 10), NUMBERS).map(
    lambda one: one[0].to_bytes(2, "big") + one[1].to_bytes(4, "big")
)
FIELD = st.sampled_from(
    [
        (":status", "200"),
        (":status", "404"),
        (":status", "103"),
        (":status", "2x"),
        (":path", "/"),
        ("content-length", "0"),
        ("content-length", "5"),
        ("content-length", "+5"),
        ("content-length", "9" * 5000),
        ("Content-Length", "7"),
        ("server", "one"),
        ("content-encoding", "gzip"),
        ("connection", "close"),
        ("x" * 40, "y" * 3000),
        ("", ""),
    ]
)
HEAD = st.lists(FIELD, max_size=6).map(lambda fields: Encoder().encode(fields))
GOOD_HEAD = st.lists(FIELD, max_size=2).map(lambda fields: Encoder().encode([(":status", "200"), *fields]))
BODY = st.sampled_from([b"", b"hello", b"hell", b"x" * 16_384])
ORDINARY = st.one_of(
    st.lists(SETTING, max_size=3).map(lambda all_: frame_bytes(4, b"".join(all_))),
    st.just(frame_bytes(4, b"", flags=1)),
    NUMBERS.map(lambda by: frame_bytes(8, by.to_bytes(4, "big"))),
    st.tuples(GOOD_HEAD, st.sampled_from([4, 5])).map(
        lambda one: frame_bytes(1, one[0], flags=one[1], stream=1)
    ),
    st.tuples(BODY, st.sampled_from([0, 0, 1])).map(
        lambda one: frame_bytes(0, one[0], flags=one[1], stream=1)
    ),
)
ODD = st.one_of(
    st.tuples(st.integers(0, 12), st.one_of(HEAD, BODY, st.binary(max_size=20)), FLAGS, STREAMS).map(
        lambda one: frame_bytes(one[0], one[1], flags=one[2], stream=one[3])
    ),
    st.tuples(st.sampled_from([3, 7, 8]), STREAMS, NUMBERS).map(
        lambda one: frame_bytes(one[0], one[2].to_bytes(4, "big"), stream=one[1])
    ),
    st.just(frame_bytes(7, bytes(8))),
    st.just(frame_bytes(6, b"12345678")),
)
CONVERSATION = st.tuples(
    st.lists(st.one_of(ORDINARY, ORDINARY, ORDINARY, ODD), max_size=8).map(b"".join),
    st.lists(st.integers(0, 40_000), max_size=3),
)
"""What a server sends, and where it pauses."""


def pieces_of(data: bytes, pauses: list[int]) -> list[bytes]:
    """Cut bytes where the server pauses."""
    places = sorted({0, len(data), *(one for one in pauses if one < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


async def seen_of(stream: Any, request: Request) -> tuple[dict[str, Any], bytes]:
    """Return what is observed but for times, and what was sent."""
    seen = asdict(await exchange(stream, request, alpn="h2", timeout=5))
    for time in ("started", "elapsed_ms", "throughput"):
        del seen[time]
    return seen, stream.written


async def check_against_h2(stream: Callable[[], Any], request: Request) -> None:
    """The same bytes must give the same observation and answers, whether h2 reads them all or not."""
    mine = await seen_of(stream(), request)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PlainConnection, "receive", lambda *_: None)
        by_h2 = await seen_of(stream(), request)
    assert mine == by_h2


@settings(max_examples=200)
@given(CONVERSATION, st.sampled_from([REQUEST, Request(host="web.test", range_bytes=20_000)]))
def test_whatever_comes_is_as_h2_says(
    memory_stream: Any, conversation: tuple[bytes, list[int]], request_: Request
) -> None:
    """Any frames, in any pieces."""
    pieces = pieces_of(*conversation)
    asyncio.run(check_against_h2(lambda: memory_stream(*pieces), request_))


def one_setting(code: int, value: int) -> bytes:
    """Return SETTINGS with one of them."""
    return frame_bytes(4, code.to_bytes(2, "big") + value.to_bytes(4, "big"))


def head_frame(*fields: tuple[str, str], flags: int = 4) -> bytes:
    """Return HEADERS."""
    return frame_bytes(1, Encoder().encode(fields), flags=flags, stream=1)


ALL_NUMBERS = (0, 1, 2, 16_383, 16_384, 2**24, 2**31 - 2**16, 2**31 - 1, 2**31, 2**32 - 1)
STATUS, LENGTH = (":status", "200"), ("content-length", "5")
USUAL = (
    one_setting(3, 100),
    frame_bytes(8, (2**31 - 2**16).to_bytes(4, "big")),
    frame_bytes(4, b"", flags=1),
    head_frame(STATUS, LENGTH),
    frame_bytes(0, b"hel", stream=1),
    frame_bytes(0, b"lo", flags=1, stream=1),
)
EXTRAS = ((b"\2", 12), (b"\0\0\0\0\1", 36), (b"\2\0\0\0\0\1", 44))
"""Lengths of padding, priorities, and the flags for them."""
UNUSUAL = (
    *(one_setting(code, value) for code in range(10) for value in ALL_NUMBERS),
    *(frame_bytes(8, by.to_bytes(4, "big"), stream=to) for by in ALL_NUMBERS for to in (0, 1, 3)),
    *(
        frame_bytes(kind, b"12345678", flags=flags, stream=to)
        for kind in range(12)
        for flags in (0, 1, 4, 8)
        for to in (0, 1, 2, 2**31 + 1)
    ),
    frame_bytes(4, b"12345"),
    frame_bytes(4, b"123456", flags=1),
    frame_bytes(0, b"", stream=1),
    frame_bytes(0, b"", flags=1, stream=1),
    frame_bytes(0, b"lo, and more", flags=1, stream=1),
    frame_bytes(0, bytes(16_384), stream=1) * 5,
    head_frame(),
    head_frame(STATUS),
    head_frame(STATUS, flags=5),
    head_frame(STATUS, LENGTH, LENGTH),
    head_frame(STATUS, LENGTH, ("content-length", "6")),
    head_frame(STATUS, LENGTH, flags=5),
    head_frame(STATUS, LENGTH, flags=0),
    head_frame(STATUS, ("content-length", "x")),
    head_frame(STATUS, ("content-length", "9" * 5000)),
    head_frame(STATUS, ("Content-Length", "7")),
    head_frame((":status", "103")),
    head_frame((":status", "103"), flags=5),
    head_frame((":path", "/"), (":status", "103")),
    head_frame(("server", "one"), STATUS),
    head_frame(*[("x-many", "v" * 4000)] * 17),
    *(head_frame(STATUS, flags=flags) for flags in range(6, 64, 3)),
    *(frame_bytes(1, extra + b"\x88\0\0", flags=flags, stream=1) for extra, flags in EXTRAS),
)


@pytest.mark.parametrize("at", range(len(USUAL)))
@pytest.mark.parametrize("replaced", [0, 1])
async def test_one_unusual_frame_is_as_h2_says(memory_stream: Any, at: int, replaced: int) -> None:
    """A usual answer in which one frame comes besides, or in the place of another."""
    for frame in UNUSUAL:
        said = b"".join((*USUAL[:at], frame, *USUAL[at + replaced :]))
        await check_against_h2(partial(memory_stream, said), REQUEST)


async def test_no_frame_of_a_usual_answer_needs_h2(memory_stream: Any) -> None:
    """h2 reads none of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "egressd.net.http.library_http2", None)
        seen, _ = await seen_of(memory_stream(*USUAL), REQUEST)
    assert (seen["failure"], seen["status"], seen["body"]) == (None, 200, "hello")


async def test_an_answer_without_its_body(memory_stream: Any) -> None:
    """The length that answers HEAD is not that of a body."""
    request_ = Request(host="web.test", method="HEAD")
    for said in ((*USUAL[:3], head_frame(STATUS, LENGTH, flags=5)), USUAL):
        await check_against_h2(partial(memory_stream, *said), request_)


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        Request(host="web.test:8443", url_path="/a b?c=d", range_bytes=100),
        Request(host="b\u00fccher.test", method="HEAD", headers=(("x-a", "1"), ("x-b", "1"))),
    ],
)
def test_the_opening_is_that_of_h2(request_: Request) -> None:
    """A server understands what is sent at first, and h2 would send the same for a request like most."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    server.initiate_connection()
    events = server.receive_data(opening(request_))
    (received,) = (one for one in events if isinstance(one, h2.events.RequestReceived))
    assert {str(name): str(value) for name, value in received.headers or ()} == {
        ":method": request_.method,
        ":scheme": "https",
        ":authority": request_.authority,
        ":path": request_.target,
        **dict(request_.all_headers),
    }
    assert server.remote_settings[SettingCodes.INITIAL_WINDOW_SIZE] == WINDOW
    assert {code: server.remote_settings[SettingCodes(code)] for code in OWN_SETTINGS} == OWN_SETTINGS
    assert isinstance(events[-1], h2.events.StreamEnded)
