"""HTTP/2 that is read without h2: whatever a server sends, what is seen is what h2 makes of it."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
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


@settings(max_examples=400)
@given(CONVERSATION, st.sampled_from([REQUEST, Request(host="web.test", range_bytes=20_000)]))
def test_whatever_comes_is_as_h2_says(
    memory_stream: Any, conversation: tuple[bytes, list[int]], request_: Request
) -> None:
    """The same bytes give the same observation and the same answers, whether h2 reads them all or not."""
    pieces = pieces_of(*conversation)
    mine = asyncio.run(seen_of(memory_stream(*pieces), request_))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PlainConnection, "receive", lambda *_: None)
        by_h2 = asyncio.run(seen_of(memory_stream(*pieces), request_))
    assert mine == by_h2


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


SHORTAGE = r"""
import asyncio, os, resource
from egressd.net.exchange import Request, exchange
from egressd.net.http.frames import frame_bytes
from tests.net_room.conftest import MemoryStream

async def main():
    request = Request(host="web.test")
    ping = frame_bytes(4, b"") + frame_bytes(6, b"12345678")
    await exchange(MemoryStream(frame_bytes(4, b"")), request, alpn="h2", timeout=5)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 4096))
    kept = []
    try:
        while True:
            kept.append(os.dup(0))
    except OSError:
        pass
    starved = await exchange(MemoryStream(ping), request, alpn="h2", timeout=5)
    for one in kept:
        os.close(one)
    answer = frame_bytes(1, b"\x88", flags=5, stream=1)
    later = await exchange(MemoryStream(ping + answer), request, alpn="h2", timeout=5)
    print(starved.failure, starved.errno, later.failure, later.status)

asyncio.run(main())
"""


def test_h2_is_imported_when_a_server_needs_it() -> None:
    """Without a descriptor it can't be: that is said to be this host's, and the next time it can."""
    done = subprocess.run([sys.executable, "-c", SHORTAGE], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["no_resources", str(errno.EMFILE), "None", "200"], done.stderr
