"""Logins: their work is the same for every user, and one who guesses keeps nobody else out."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import bcrypt
import pytest

from egressd.web.login import Login, TooBusyError

PASSWORD = "correct horse"


def hashed(password: str, cost: int) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


USERS = (("cheap", hashed(PASSWORD, 4)), ("dear", hashed(PASSWORD, 6)), ("dear-too", hashed("other", 6)))


@pytest.mark.parametrize("user", ["cheap", "dear", "dear-too", "nobody", "CHEAP", "\u00fc"])
@pytest.mark.parametrize("password", ["wrong", "", "x" * 100, "a\0b", "\u00e9"])
async def test_a_wrong_login_costs_the_same_whoever_it_names(
    monkeypatch: pytest.MonkeyPatch, user: str, password: str
) -> None:
    """For each cost among the users one hash is computed, for known and unknown users alike."""
    costs: list[str] = []
    original = bcrypt.checkpw

    def check(given: bytes, known: bytes) -> bool:
        costs.append(known[4:6].decode())
        return original(given, known)

    monkeypatch.setattr(bcrypt, "checkpw", check)
    login = Login(USERS)
    for _ in range(2):  # the second time is no cheaper: nothing is remembered of it
        costs.clear()
        assert not await login.admits(aiohttp.encode_basic_auth(user, password, encoding="utf-8"), "a")
        assert sorted(costs) == ["04", "06"]


async def test_the_dummies_are_hashes_that_are_computed() -> None:
    """A dummy that bcrypt would refuse at a glance would tell that nobody has that name."""
    login = Login(USERS)
    assert [bcrypt.checkpw(b"x", one.encode()) for one in login._dummies.values()] == [False, False]


async def test_each_user_logs_in() -> None:
    """The right password is right, whatever the others cost."""
    login = Login(USERS)
    for user, password in (("cheap", PASSWORD), ("dear", PASSWORD), ("dear-too", "other")):
        for _ in range(2):
            assert await login.admits(aiohttp.encode_basic_auth(user, password), "a")
        assert not await login.admits(aiohttp.encode_basic_auth(user, password + "!"), "a")


async def test_one_who_guesses_keeps_nobody_else_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks run one by one; an address has few places among those that wait, and the others get theirs."""
    go = threading.Event()
    running, most = 0, 0

    def check(given: bytes, _: bytes) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        go.wait(30)
        running -= 1
        return given == PASSWORD.encode()

    monkeypatch.setattr(bcrypt, "checkpw", check)
    login = Login((("ops", hashed(PASSWORD, 4)),))

    async def guess(number: int, address: str) -> bool | str:
        try:
            return await login.admits(aiohttp.encode_basic_auth("ops", str(number)), address)
        except TooBusyError:
            return "busy"

    async with asyncio.TaskGroup() as group:
        guesses = [group.create_task(guess(number, "192.0.2.1")) for number in range(50)]
        await asyncio.sleep(0)
        honest = group.create_task(login.admits(aiohttp.encode_basic_auth("ops", PASSWORD), "192.0.2.9"))
        await asyncio.sleep(0)
        go.set()
    assert honest.result()
    assert [one.result() for one in guesses].count("busy") == 46
    assert most == 1
    assert not login._waiting
