"""For every test: traffic stays on loopback or in network namespaces of the test; ports; example profiles."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import HealthCheck, settings

from egressd import log
from egressd.bugs import BUGS
from tests.pausing_loop import PausingLoop, use_pausing_clock
from tests.ports import closed_port, free_port

# A property is held to the same examples each time, so that a change does not pass by chance;
# `make search` tries new ones. How fast an example is generated depends on the machine only.
LENIENT = settings(
    deadline=None,
    suppress_health_check=[
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
settings.register_profile("same", LENIENT, derandomize=True)
settings.register_profile("search", LENIENT, max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("TEST_EXAMPLES", "same"))

NAMES_OF_THIS_HOST = frozenset({"localhost", "ip6-localhost", socket.gethostname()})


class LeftLoopbackError(AssertionError):
    """A test connected to an address beyond loopback."""


def _namespace() -> str:
    try:
        return str(Path("/proc/thread-self/ns/net").readlink())
    except OSError:
        return ""


HOME = _namespace()


def _is_ours(host: object) -> bool:
    if not isinstance(host, str) or host == "" or host in NAMES_OF_THIS_HOST or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or address.is_unspecified or (mapped is not None and mapped.is_loopback)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) and arguments[1] else ""
    else:
        return
    if not _is_ours(host) and _namespace() == HOME:
        message = f"{event} to {host}: tests keep to loopback"
        raise LeftLoopbackError(message)


def pytest_configure(config: pytest.Config) -> None:
    """Check sockets of all tests with an audit hook, which can't be removed."""
    sys.addaudithook(_watch)
    use_pausing_clock()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test that is a coroutine on a clock that stands still while the process is not running."""
    return {"pausing": PausingLoop}


@pytest.fixture(autouse=True)
def _reset_logging() -> Iterator[None]:
    """Reset logging after each test, whose captured stderr is closed by then."""
    yield
    structlog.reset_defaults()
    log._configure.clear()


@pytest.fixture(autouse=True)
def _no_bugs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which egressd reported a bug of its own, unless that is what it is about."""
    before = BUGS.totals()
    BUGS._kinds.clear()
    yield
    found = {part: count - before[part] for part, count in BUGS.totals().items() if count > before[part]}
    assert not found or request.node.get_closest_marker("bugs"), found


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """Reserve a port without a listener; pytest-asyncio's may be taken by the time it is dialled."""
    with closed_port() as port:
        yield port


@pytest.fixture
def unused_udp_port() -> int:
    """Return a port that no other test is given."""
    return free_port()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can enter; those of pytest are closed again by every other run."""
    with TemporaryDirectory(prefix="egressd-test-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder
