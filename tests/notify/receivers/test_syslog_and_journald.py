"""The journal and syslog: sockets in their place, and a real systemd-journald."""

from __future__ import annotations

import array
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.model.alert import NoticeKind
from egressd.model.notification import Receiver
from egressd.notify.dispatch import deliver
from egressd.notify.receivers.journald import MESSAGE_ID, JournalTransport, journal_entry, send_entry
from egressd.notify.receivers.syslog import SyslogTransport
from egressd.notify.result import DeliveryResult
from tests.notify.content.sample import CAUSE, HOSTILE, RULES, alert, message_of, notice
from tests.notify.receivers.test_limits import SYSLOG, parse_entry
from tests.notify.transport.servers import listening, reset

WIDE = alert(condition=replace(CAUSE, targets=tuple(f"{'endpoint' * 12}-{n}:443" for n in range(3000))))
JOURNALD = "/lib/systemd/systemd-journald"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="egressd-") as made:
        yield Path(made)


@pytest.fixture
def box(folder: Path) -> Iterator[socket.socket]:
    """Return a datagram socket in the file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(folder / "socket"))
        one.settimeout(5)
        yield one


async def test_an_entry_is_one_datagram(box: socket.socket) -> None:
    """A journal entry is one datagram."""
    journal = Receiver(name="journal", type="journald", transport=JournalTransport(path=box.getsockname()))
    assert (await deliver(journal, (notice(),), dropped=0, rules=RULES)) == DeliveryResult(
        ok=True, delivered=1
    )
    assert dict(parse_entry(box.recv(1 << 20)))["EGRESSD_ALERT"] == "EgressCause"


async def test_a_large_entry_is_a_sealed_file(box: socket.socket) -> None:
    """An entry too large for a datagram is passed as a sealed memfd, as journald requires."""
    sent = journal_entry(message_of(notice(about=WIDE)))
    assert len(sent) > box.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert (await send_entry(sent, box.getsockname())).ok
    data, (ancillary,), *_ = box.recvmsg(10, socket.CMSG_SPACE(4))
    (descriptor,) = array.array("i", ancillary[2])
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        assert (data, file.read()) == (b"", sent)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 1)


async def test_no_journal_and_a_full_one(box: socket.socket, folder: Path) -> None:
    """No journal, and one that reads nothing: delivery does not block and can be retried."""
    delivery = await send_entry(b"MESSAGE=x\n", str(folder / "nothing"))
    assert delivery.retry
    assert "no such file" in delivery.why
    for _ in range(10_000):
        delivery = await send_entry(b"MESSAGE=x\n", box.getsockname())
        if not delivery.ok:
            break
    assert delivery.retry
    assert "temporarily unavailable" in delivery.why


@pytest.fixture
def journald() -> Iterator[tuple[str, Any]]:
    """Run journald in a namespace with its own /run; yield its socket and a function that reads it."""
    if os.geteuid() != 0 or not Path(JOURNALD).exists() or not shutil.which("unshare"):
        pytest.skip("a journald of one's own takes root, systemd-journald and unshare")
    script = (
        "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && "
        "{ ! test -d /var/log/journal || mount -t tmpfs tmpfs /var/log/journal; } && "
        f"exec {JOURNALD} eg"
    )
    run = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        path = f"/proc/{run.pid}/root/run/systemd/journal.eg/socket"
        end = time.monotonic() + 60
        while not Path(path).exists() and time.monotonic() < end:
            time.sleep(0.05)

        def read(*words: str) -> list[dict[str, Any]]:
            command = [
                "nsenter",
                "-t",
                str(run.pid),
                "-m",
                "journalctl",
                "--namespace=eg",
                "-o",
                "json",
                "-a",
            ]
            done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=60)
            return [json.loads(line) for line in done.stdout.splitlines()]

        yield path, read
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait(60)


def _until(read: Callable[[], list[dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 60
    while len(found := read()) < count and time.monotonic() < end:
        time.sleep(0.1)
    return found


@pytest.mark.servers
async def test_a_real_journald_reads_every_field(journald: tuple[str, Any]) -> None:
    """journald stores a small, a hostile and an oversized entry with exactly the sent values."""
    path, read = journald
    hostile = alert(condition=replace(CAUSE, id="hostile", advice=HOSTILE[1], evidence=HOSTILE))
    large = replace(WIDE, condition=replace(WIDE.condition, id="large"))
    notices = [notice(), notice(about=hostile), notice(NoticeKind.CHANGED, about=large)]
    for one in notices:
        delivery = await send_entry(journal_entry(message_of(one)), path)
        assert delivery.ok, delivery.why
    found = _until(lambda: read(f"MESSAGE_ID={MESSAGE_ID}"), len(notices))
    for got, one in zip(found, notices, strict=True):
        sent = dict(parse_entry(journal_entry(message_of(one))))
        assert {name: got.get(name) for name in sent} == sent
    assert len(read("EGRESSD_ALERT_ID=large", "PRIORITY=2")) == 1


def receiver(transport: str, address: str = "127.0.0.1", port: int = 514, timeout: float = 5.0) -> Receiver:
    syslog = SyslogTransport(protocol=transport, address=address, port=port, facility=16)
    return Receiver(name="syslog", type="syslog", transport=syslog, timeout=timeout)


async def test_syslog_over_a_local_socket(box: socket.socket, folder: Path) -> None:
    """Over /dev/log each message is one datagram."""
    delivery = await deliver(receiver("unix", box.getsockname()), (notice(),), dropped=0, rules=RULES)
    assert delivery == DeliveryResult(ok=True, delivered=1)
    found = SYSLOG.fullmatch(box.recv(65536))
    assert found is not None
    assert int(found[1]) == 16 * 8 + 2
    delivery = await deliver(receiver("unix", str(folder / "no")), (notice(),), dropped=0, rules=RULES)
    assert delivery.retry
    assert "syslog: " in delivery.why


async def test_syslog_over_udp() -> None:
    """2000 targets are datagrams of at most 2 KiB, each a complete message."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.bind(("127.0.0.1", 0))
        one.settimeout(5)
        few = alert(condition=replace(CAUSE, targets=tuple(f"target-{n}:443" for n in range(300))))
        to = receiver("udp", port=one.getsockname()[1])
        assert (await deliver(to, (notice(about=few),), dropped=0, rules=RULES)).ok
        one.settimeout(0)
        got = []
        while True:
            try:
                got.append(one.recv(65536))
            except BlockingIOError:
                break
    assert all(len(line) <= 2048 and SYSLOG.fullmatch(line) for line in got)
    text = b"\n".join(got).decode()
    assert all(f"target-{n}:443" in text for n in range(300))


async def test_a_closed_udp_port(unused_udp_port: int) -> None:
    """A closed UDP port is reported from the host's ICMP message."""
    delivery = await deliver(receiver("udp", port=unused_udp_port), (notice(),), dropped=0, rules=RULES)
    assert delivery.retry
    assert delivery.why == f"syslog: 127.0.0.1:{unused_udp_port} can't be reached (connection refused)"


async def test_syslog_over_tcp_counts_octets() -> None:
    """Each frame begins with its length (RFC 6587); longer text comes as several messages."""
    streams: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        streams.append(await reader.read(-1))

    async with listening(talk) as port:
        single = notice(
            about=replace(WIDE, condition=replace(WIDE.condition, targets=WIDE.condition.targets[:300]))
        )
        delivery = await deliver(receiver("tcp", port=port), (single,), dropped=0, rules=RULES)
    assert delivery.ok, delivery.why
    assert len(streams) > 1
    for stream in streams:
        length, _, line = stream.partition(b" ")
        assert int(length) == len(line)
        assert SYSLOG.fullmatch(line)


async def test_tcp_errors(unused_tcp_port: int) -> None:
    """A closed port and a reset can be retried; a server that reads nothing delays nothing."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reset(writer)

    async def keep(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    delivery = await deliver(receiver("tcp", port=unused_tcp_port), (notice(),), dropped=0, rules=RULES)
    assert (delivery.retry, "connection refused" in delivery.why) == (True, True)
    async with listening(cut) as port:
        delivery = await deliver(receiver("tcp", port=port), (notice(),), dropped=0, rules=RULES)
    assert (delivery.retry, "reset" in delivery.why) == (True, True)
    async with listening(keep) as port:
        delivery = await deliver(receiver("tcp", port=port), (notice(),), dropped=0, rules=RULES)
    assert delivery.ok


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x01\0\x02\x02\x46"]
)
async def test_what_answers_is_no_syslog_server(answer: bytes) -> None:
    """A web server, or one that wants TLS, has not taken the message, though it accepted the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        await writer.drain()
        await reader.read()

    async with listening(talk) as port:
        delivery = await deliver(receiver("tcp", port=port), (notice(),), dropped=0, rules=RULES)
    assert (delivery.ok, delivery.retry) == (False, True)
    assert "no syslog server" in delivery.why
