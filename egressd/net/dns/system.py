"""The host's own resolver: `getaddrinfo`, with everything nsswitch.conf and /etc/hosts add to it.

A lookup can't be cancelled, so it runs in a daemon thread that nobody waits for: neither a timeout
nor the end of the process hangs on a dead resolver.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import queue
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from egressd.model.settings import Resolver

MOST_THREADS = 16
RESOLV_CONF = Path("/etc/resolv.conf")
EAI_NODATA: int = getattr(socket, "EAI_NODATA", -5)
"""Not in every C library's header."""
STUB = "127.0.0.53"
"""systemd-resolved(8) listens here; whom it asks stands in a file of its own."""
STUB_UPSTREAMS = Path("/run/systemd/resolve/resolv.conf")
_MOST_NAMESERVERS = 3
"""resolv.conf(5): MAXNS. The C library ignores the rest."""
_FILE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AddrInfo:
    """What getaddrinfo gave; `error` is its number (EAI_*), 0 where it worked."""

    addresses: tuple[str, ...] = ()
    canonical: str = ""
    error: int = 0
    message: str = ""


@dataclass(slots=True, kw_only=True)
class _Job:
    host: bytes
    family: socket.AddressFamily
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[AddrInfo]
    begun: bool = False


class _Threads:
    """A few daemon threads, started when they are first needed and never joined."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive = 0
        self._free = 0

    def submit(self, job: _Job) -> None:
        with self._lock:
            self._jobs.put(job)
            start = self._free < self._jobs.qsize() and self._alive < self._most
            self._alive += start
        if start:
            threading.Thread(target=self._work, name="egressd-getaddrinfo", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._free += 1
            job = self._jobs.get()
            with self._lock:
                self._free -= 1
            _run(job)


_threads = _Threads(MOST_THREADS)


async def find(host: bytes, family: socket.AddressFamily, *, timeout: float) -> AddrInfo:
    """Ask getaddrinfo for addresses of one family.

    Raises:
        TimeoutError: it did not answer in time; the message says whether it was asked at all.
    """
    loop = asyncio.get_running_loop()
    job = _Job(host=host, family=family, loop=loop, future=loop.create_future())
    _threads.submit(job)
    try:
        async with asyncio.timeout(timeout):
            return await job.future
    except TimeoutError:
        asked = "no answer" if job.begun else f"not asked: {MOST_THREADS} lookups were still waiting"
        raise TimeoutError(asked) from None


def _run(job: _Job) -> None:
    if job.future.cancelled():
        return
    job.begun = True
    try:
        found: AddrInfo | Exception = _getaddrinfo(job.host, job.family)
    except Exception as error:  # noqa: BLE001 - our bug: it belongs to who asked, and this thread lives on
        found = error
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants it any more
        job.loop.call_soon_threadsafe(_deliver, job.future, found)


def _deliver(future: asyncio.Future[AddrInfo], found: AddrInfo | Exception) -> None:
    if future.done():
        return
    if isinstance(found, Exception):
        future.set_exception(found)
    else:
        future.set_result(found)


def _getaddrinfo(host: bytes, family: socket.AddressFamily) -> AddrInfo:
    """Call getaddrinfo; without AI_ADDRCONFIG, so that the answer does not depend on our own addresses."""
    try:
        rows = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except socket.gaierror as error:
        return AddrInfo(error=error.errno or socket.EAI_FAIL, message=str(error.strerror))
    except (OSError, UnicodeError) as error:
        return AddrInfo(error=socket.EAI_SYSTEM, message=str(error))
    addresses = tuple(dict.fromkeys(str(row[4][0]) for row in rows if row[0] == family))
    return AddrInfo(addresses=addresses, canonical=rows[0][3] if rows else "")


def read_nameservers(conf: Path, stub_upstreams: Path) -> tuple[Resolver, ...]:
    """Return the nameservers of a resolv.conf; behind systemd-resolved's stub, those it asks as well."""
    found = _nameservers(conf)
    if STUB in found:
        found += _nameservers(stub_upstreams)
    return tuple(Resolver(name=one, address=one) for one in dict.fromkeys(found))


def _nameservers(conf: Path) -> tuple[str, ...]:
    """Read the `nameserver` lines of a file; () where it is missing or can't be read."""
    try:
        with conf.open("rb") as file:
            text = file.read(_FILE_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ()
    rows = (line.split() for line in text.splitlines())
    named = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver" and _is_address(row[1])]
    return tuple(named[:_MOST_NAMESERVERS])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
