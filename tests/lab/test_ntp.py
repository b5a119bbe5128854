"""The lab's NTP servers, queried by plain datagrams."""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import timedelta

import pytest

from egressd import clock
from egressd.lab.faults import FAULTS, Layer
from egressd.lab.ntp import (
    EPOCH,
    FAULTY_ANSWERS,
    NtpAnswer,
    correct,
    garbage,
    is_request,
    kiss,
    serve_ntp,
    unsynchronized,
)
from egressd.lab.sockets import LOOPBACK, ServerGroup

REQUEST = bytes((0x23,)) + bytes(39) + struct.pack("!II", 0xAABBCCDD, 0x11223344)


async def ask(answer: NtpAnswer, *, ahead: float = 0.0, request: bytes = REQUEST) -> bytes:
    """Query a server with that answer; b"" where there is none."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = serve_ntp(servers, answer, lambda: clock.now() + timedelta(seconds=ahead))
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((LOOPBACK, port))
            await loop.sock_sendall(sock, request)
            try:
                async with asyncio.timeout(0.3):
                    return await loop.sock_recv(sock, 100)
            except TimeoutError:
                return b""
            finally:
                servers.stop()
                servers.close()


@pytest.mark.parametrize("ahead", [0.0, 3600.0])
async def test_correct_answer(ahead: float) -> None:
    """Mode 4, stratum 2, the client's timestamp as originate, and the lab's time."""
    said = await ask(correct, ahead=ahead)
    assert said[0] == 0x24
    assert said[1] == 2
    assert said[24:32] == REQUEST[40:48]
    seconds, _ = struct.unpack("!II", said[40:48])
    offset = seconds - (clock.now() - EPOCH).total_seconds()
    assert abs(offset - ahead) < 60


async def test_faulty_answers() -> None:
    """A kiss has stratum 0 and a code; an unsynchronised clock leap 3 and stratum 16; garbage is short."""
    said = await ask(kiss)
    assert (said[1], said[12:16]) == (0, b"DENY")
    said = await ask(unsynchronized)
    assert (said[0] >> 6, said[1]) == (3, 16)
    assert len(await ask(garbage)) < 48
    assert await ask(FAULTY_ANSWERS["ntp_silence"]) == b""


async def test_only_requests_are_answered() -> None:
    """Answering an answer would let two servers loop."""
    assert is_request(REQUEST)
    assert not is_request(bytes((0x24,)) + REQUEST[1:])
    assert await ask(correct, request=bytes((0x24,)) + REQUEST[1:]) == b""
    assert await ask(correct, request=REQUEST[:20]) == b""


def test_effects_are_implemented() -> None:
    """Every NTP effect of a fault has an answer."""
    effects = {
        effect
        for fault in FAULTS.values()
        if (effect := fault.effect(Layer.ROUTE)) and effect.startswith("ntp_")
    }
    assert effects == {*FAULTY_ANSWERS, "ntp_closed"}
