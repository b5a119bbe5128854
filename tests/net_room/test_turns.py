"""Turns of the event loop: a peer whose bytes are there already does not keep others waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine

import pytest

from egressd.net.dial import TcpStream
from egressd.net.sockets import turns
from egressd.net.sockets.turns import LoopTurn


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The CPU time used, as a test says."""
    used = [0.0]
    monkeypatch.setattr(turns, "cpu_seconds", lambda: used[0])
    return used


async def test_data_that_is_there_does_not_hold_the_loop(clock: list[float]) -> None:
    """Reads that never wait for the peer let others run once they have used their turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as ours:
        ours.connect(listener.getsockname())
        theirs, _ = listener.accept()
        with theirs:
            theirs.sendall(bytes(64))
            ours.setblocking(False)
            assert not await _is_overtaken(TcpStream(ours).read(1))
            stream = TcpStream(ours)
            clock[0] += turns.TURN_SECONDS
            assert await _is_overtaken(stream.read(1))


async def _is_overtaken(work: Coroutine[object, object, object]) -> bool:
    """Return whether something that was ready before ran before the end of some work."""
    ran: list[bool] = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    await work
    return bool(ran)


async def test_a_round_is_shared(clock: list[float]) -> None:
    """Where others have used the round, who comes waits for the next one, though it used nothing itself."""
    first, second, third = LoopTurn(), LoopTurn(), LoopTurn()
    first.resume()
    second.resume()
    assert not await _is_overtaken(second.share())
    first.resume()
    clock[0] += turns.ROUND_SECONDS
    third.resume()
    assert await _is_overtaken(third.share())


async def test_who_used_least_goes_first(clock: list[float]) -> None:
    """A connection with little to parse goes before those that have parsed much, however many these are."""
    order: list[str] = []

    async def parse(name: str, seconds: float) -> None:
        turn = LoopTurn()
        clock[0] += seconds
        await turn.share()
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("flood", 9.0), ("another flood", 5.0), ("neighbour", turns.TURN_SECONDS)):
            group.create_task(parse(name, seconds))
    assert order == ["neighbour", "another flood", "flood"]


async def test_who_no_longer_waits_is_passed_over(clock: list[float]) -> None:
    """A connection whose timeout ended its wait does not cost the next one its turn."""
    impatient, patient = LoopTurn(), LoopTurn()
    clock[0] += turns.TURN_SECONDS
    ended = asyncio.ensure_future(impatient.share())
    served = asyncio.ensure_future(patient.share())
    await asyncio.sleep(0)
    ended.cancel()
    await served
    assert ended.cancelled()
