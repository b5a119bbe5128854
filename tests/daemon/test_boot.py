"""Start soon after boot: addresses that are not there yet are waited for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from egressd import clock
from egressd.catalog import load_catalog
from egressd.daemon import run
from egressd.daemon.intents import Intents
from egressd.daemon.run import BOOTED_AFTER, retry_while_booting
from egressd.daemon.sdnotify import SdNotifier
from egressd.engine.plan import refuse_absent_sources
from egressd.errors import (
    AbsentListenError,
    AbsentSourceError,
    ConfigError,
    EgressdError,
    ListenError,
    UsageError,
)
from egressd.model.settings import Settings, Source, Web
from egressd.web.serve import Server
from tests.daemon.simulation import make_simulation

GONE = AbsentSourceError(("sources: 192.0.2.7 (source a) is not on this host",))


class Attempts:
    """A function that fails some times before it succeeds."""

    def __init__(self, *errors: EgressdError) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host was booted a minute ago."""
    monkeypatch.setattr(clock, "monotonic", lambda: 60.0)
    monkeypatch.setattr(run, "RETRY_AFTER", 0.01)


@pytest.mark.usefixtures("booted")
async def test_an_address_that_appears_late_is_waited_for(tmp_path: Path) -> None:
    """The reason is sent to systemd, and the start timeout is extended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        notifier = SdNotifier(address=str(tmp_path / "notify"))
        assert (
            await retry_while_booting(Attempts(GONE, AbsentListenError("cannot listen"), GONE), notifier)
            == "done"
        )
        messages = [receiver.recv(4096).decode() for _ in range(3)]
        assert all(
            one.startswith("EXTEND_TIMEOUT_USEC=5000000\nSTATUS=waiting for an address: ") for one in messages
        )
        assert "192.0.2.7" in messages[0]


@pytest.mark.usefixtures("booted")
@pytest.mark.parametrize("error", [ConfigError(("bad",)), UsageError("port in use")])
async def test_other_errors_are_not_retried(error: EgressdError) -> None:
    """Errors that waiting does not solve are raised at once."""
    with pytest.raises(type(error)):
        await retry_while_booting(Attempts(error), SdNotifier(address="/nowhere"))


@pytest.mark.parametrize(("age", "address"), [(BOOTED_AFTER + 1, "/nowhere"), (60.0, "")])
async def test_retries_end_after_boot_and_without_systemd(
    monkeypatch: pytest.MonkeyPatch, age: float, address: str
) -> None:
    """There is no retry on a host that booted long ago, nor outside of systemd."""
    monkeypatch.setattr(clock, "monotonic", lambda: age)
    with pytest.raises(AbsentSourceError):
        await retry_while_booting(Attempts(GONE), SdNotifier(address=address))


def test_an_absent_source_raises_what_is_retried() -> None:
    """The check of the sources raises the error that is retried."""
    with pytest.raises(AbsentSourceError, match=r"203\.0\.113\.7"):
        refuse_absent_sources(Settings(sources=(Source(name="a", address="203.0.113.7"),)))


async def test_an_absent_listen_address_raises_what_is_retried() -> None:
    """An absent listen address raises the error that is retried; a port in use does not."""
    server = Server(holder=make_simulation().holder, intents=Intents(), catalog=load_catalog())
    with pytest.raises(AbsentListenError, match=r"203\.0\.113\.7:10980: Cannot assign requested address"):
        await server.open(Web(listen="203.0.113.7:10980"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ListenError, match=r"Address already in use: .+ \(pid \d+\) has it") as caught:
            await server.open(Web(listen=f"127.0.0.1:{taken.getsockname()[1]}"))
    assert type(caught.value) is ListenError
