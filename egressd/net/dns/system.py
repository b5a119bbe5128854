"""The host's own resolver: getaddrinfo(3), which honours nsswitch.conf and /etc/hosts.

A lookup can't be cancelled, so it runs in a daemon thread that is never joined: neither a timeout nor the
end of the process hangs on a dead resolver.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import queue
import socket
import threading
from pathlib import Path

from msgspec import Struct

from egressd.model.settings import Resolver
from egressd.net.dns.records import MAX_ADDRESSES
from egressd.net.sockets.descriptors import shortage
from egressd.net.sockets.errors import SHORTAGES

MAX_THREADS = 16
RESOLV_CONF = Path("/etc/resolv.conf")
EAI_NODATA: int = getattr(socket, "EAI_NODATA", -5)
"""Missing in some C libraries."""
EAI_AGAIN: int = socket.EAI_AGAIN
"""A temporary failure: silence, SERVFAIL or REFUSED."""
STUB = "127.0.0.53"
"""The stub resolver of systemd-resolved(8); its upstream servers are in a file of their own."""
STUB_UPSTREAMS = Path("/run/systemd/resolve/resolv.conf")
_MAX_NAMESERVERS = 3
"""resolv.conf(5): MAXNS. The C library ignores the rest."""
_FILE_LIMIT = 64 * 1024


class AddrInfoResult(Struct, frozen=True, kw_only=True):
    """The result of getaddrinfo; `error` is an EAI_* number, 0 on success."""

    addresses: tuple[str, ...] = ()
    canonical: str = ""
    error: int = 0
    message: str = ""
    shortage: int | None = None
    """The errno of what this host lacked, where the lookup failed for that."""


class _Job(Struct, kw_only=True):
    host: bytes
    family: socket.AddressFamily
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[AddrInfoResult]
    started: bool = False


class _ThreadPool:
    """A pool of daemon threads, started on demand and never joined."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive = 0
        self._idle = 0

    def submit(self, job: _Job) -> None:
        with self._lock:
            self._jobs.put(job)
            start = self._idle < self._jobs.qsize() and self._alive < self._most
            self._alive += start
        if start:
            self._start()

    def _start(self) -> None:
        """Start a thread. Raises OSError where there is none to be had, and nobody to do the job."""
        try:
            threading.Thread(target=self._run_jobs, name="egressd-getaddrinfo", daemon=True).start()
        except RuntimeError:  # the limit on threads: RLIMIT_NPROC, or of the cgroup
            with self._lock:
                self._alive -= 1
                if self._alive:
                    return
            raise OSError(errno.EAGAIN, "can't start a thread") from None

    def _run_jobs(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
            _run_job(job)


_pool = _ThreadPool(MAX_THREADS)


async def getaddrinfo(host: bytes, family: socket.AddressFamily, *, timeout: float) -> AddrInfoResult:
    """Look up the addresses of one family.

    Raises:
        TimeoutError: no result in time; the message says whether the lookup was started.
    """
    loop = asyncio.get_running_loop()
    job = _Job(host=host, family=family, loop=loop, future=loop.create_future())
    try:
        _pool.submit(job)
    except OSError as error:
        return AddrInfoResult(error=socket.EAI_SYSTEM, message=str(error.strerror), shortage=error.errno)
    try:
        async with asyncio.timeout(timeout):
            return await job.future
    except TimeoutError:
        asked = "no answer" if job.started else f"not asked: {MAX_THREADS} lookups were still waiting"
        raise TimeoutError(asked) from None


def _run_job(job: _Job) -> None:
    if job.future.cancelled():
        return
    job.started = True
    try:
        result: AddrInfoResult | Exception = _call_getaddrinfo(job.host, job.family)
    except Exception as error:  # noqa: BLE001 - a bug: it is raised in the caller, and the thread lives on
        result = error
    with contextlib.suppress(RuntimeError):  # the loop is closed
        job.loop.call_soon_threadsafe(_set_result, job.future, result)


def _set_result(future: asyncio.Future[AddrInfoResult], result: AddrInfoResult | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _call_getaddrinfo(host: bytes, family: socket.AddressFamily) -> AddrInfoResult:
    """Call getaddrinfo without AI_ADDRCONFIG: the result must not depend on our own addresses."""
    try:
        rows = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except socket.gaierror as error:
        # The C library reads files and opens sockets, and reports that it can't as any of its errors.
        lacked = errno.ENOMEM if error.errno == socket.EAI_MEMORY else shortage()
        return AddrInfoResult(
            error=error.errno or socket.EAI_FAIL, message=str(error.strerror), shortage=lacked
        )
    except MemoryError:
        return AddrInfoResult(error=socket.EAI_MEMORY, message="out of memory", shortage=errno.ENOMEM)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        lacked = number if number in SHORTAGES else shortage()
        return AddrInfoResult(error=socket.EAI_SYSTEM, message=str(error), shortage=lacked)
    addresses = tuple(dict.fromkeys(str(row[4][0]) for row in rows if row[0] == family))
    return AddrInfoResult(addresses=addresses[:MAX_ADDRESSES], canonical=rows[0][3] if rows else "")


def read_nameservers(conf: Path, stub_upstreams: Path) -> tuple[Resolver, ...]:
    """Return the nameservers of a resolv.conf, and the upstream servers of systemd-resolved's stub."""
    result = _read_resolv_conf(conf)
    if STUB in result:
        result += _read_resolv_conf(stub_upstreams)
    return tuple(Resolver(name=one, address=one) for one in dict.fromkeys(result))


def _read_resolv_conf(conf: Path) -> tuple[str, ...]:
    """Return the `nameserver` addresses of a file; () where it can't be read."""
    try:
        with conf.open("rb") as file:
            text = file.read(_FILE_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ()
    rows = (line.split() for line in text.splitlines())
    named = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver" and _is_address(row[1])]
    return tuple(named[:_MAX_NAMESERVERS])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
