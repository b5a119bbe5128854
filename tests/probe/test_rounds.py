"""Tries and rounds end as soon as the result is settled, and every one that began is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from egressd.model.observation import Failure, TlsObservation
from egressd.model.recording import Trail
from egressd.model.settings import Family
from egressd.probe.controls.rounds import repeat, take_turns

OK, RESET, SILENT = None, Failure.RESET, Failure.TIMEOUT
GAP = 0.01


def trail(failure: Failure | None, *, server_hello: bool = False) -> Trail:
    """Return a trail that ends in TLS."""
    end = TlsObservation(
        started="2026-11-20T03:10:04.120Z",
        elapsed_ms=1.0,
        sni="a.test",
        alpn_offered=(),
        hello_bytes=500,
        bytes_sent=500,
        bytes_received=0,
        records_sent=1,
        records_received=0,
        failure=failure,
        server_hello=server_hello,
    )
    return Trail(source="s", family=Family.IPV4, address="192.0.2.9", path="direct", observations=(end,))


def scripted(*failures: Failure | None, log: list[str], name: str = "a") -> Callable[[], Awaitable[Trail]]:
    """Return a conversation that ends in this way, then in that; silence lasts as long as two gaps."""
    left = list(failures)

    async def converse() -> Trail:
        log.append(name)
        failure = left.pop(0)
        await asyncio.sleep(2.5 * GAP if failure is SILENT else 0)
        return trail(failure)

    return converse


def ends(trails: tuple[Trail, ...]) -> list[Failure | None]:
    """Return how the trails ended."""
    return [one.last.failure if one.last is not None else None for one in trails]


async def test_repeats_end_with_the_first_that_works() -> None:
    """What sometimes works needs no more tries."""
    log: list[str] = []
    found = await repeat(scripted(RESET, RESET, OK, RESET, log=log), tries=4, gap=GAP)
    assert ends(found) == [RESET, RESET, OK]


async def test_repeats_are_made_as_often_as_planned() -> None:
    """What always fails is tried to the end."""
    found = await repeat(scripted(*[RESET] * 5, log=[]), tries=5, gap=GAP)
    assert ends(found) == [RESET] * 5


async def test_silent_tries_do_not_wait_for_each_other() -> None:
    """Those that began before one worked are awaited and recorded; no further one begins."""
    log: list[str] = []
    found = await repeat(scripted(SILENT, OK, *[SILENT] * 8, log=log), tries=10, gap=GAP)
    assert ends(found) == [SILENT, OK]
    assert len(log) == 2


async def test_turns_alternate() -> None:
    """The one that fails goes first, in each of the rounds."""
    log: list[str] = []
    failing = scripted(*[RESET] * 3, log=log, name="fails")
    working = scripted(*[OK] * 3, log=log, name="works")
    seen = await take_turns(failing, working, rounds=3, gap=GAP)
    assert log == ["fails", "works"] * 3
    assert [ends(one) for one in seen] == [[RESET] * 3, [OK] * 3]


async def test_turns_end_when_the_failing_one_works() -> None:
    """Then there is nothing to compare."""
    log: list[str] = []
    seen = await take_turns(
        scripted(RESET, OK, log=log), scripted(OK, OK, log=log, name="b"), rounds=3, gap=GAP
    )
    assert log == ["a", "b", "a"]
    assert [ends(one) for one in seen] == [[RESET, OK], [OK]]


async def test_turns_end_when_the_other_one_fails() -> None:
    """Then the two are alike."""
    log: list[str] = []
    seen = await take_turns(scripted(RESET, log=log), scripted(RESET, log=log, name="b"), rounds=3, gap=GAP)
    assert [ends(one) for one in seen] == [[RESET], [RESET]]


async def test_a_wrong_certificate_is_an_answer() -> None:
    """Another name at an address has no certificate there, and TLS answered all the same."""

    async def wrong_name() -> Trail:
        return trail(Failure.VERIFY, server_hello=True)

    failing, working = await take_turns(scripted(*[RESET] * 2, log=[]), wrong_name, rounds=2, gap=GAP)
    assert len(failing) == len(working) == 2
