"""DNS lookups: every query is recorded, every kind of answer has its failure."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from egressd.clock import monotonic
from egressd.model.observation import DnsObservation, Failure
from egressd.model.settings import Resolver, Source
from egressd.net.dns import system
from egressd.net.dns.query import ANSWERED_EARLIER
from egressd.net.resolve import look_up, look_up_both, look_up_system, look_up_tcp, system_nameservers

HERE = Source(name="here")
Edit = Callable[[dns.message.Message, dns.message.Message], None]


def reply(data: bytes, edit: Edit) -> bytes:
    """Return the response to a query, edited."""
    query = dns.message.from_wire(data)
    response = dns.message.make_response(query, recursion_available=True)
    edit(query, response)
    return response.to_wire()


def records(*rows: str) -> Edit:
    """Return an edit that answers with records: `name ttl IN type value`."""

    def edit(_: dns.message.Message, response: dns.message.Message) -> None:
        for row in rows:
            name, ttl, *rest = row.split(None, 4)
            response.answer.append(dns.rrset.from_text(name, int(ttl), *rest))

    return edit


def rcode(code: dns.rcode.Rcode, *, soa: bool = False, ede: int | None = None) -> Edit:
    """Return an edit that sets an rcode."""

    def edit(_: dns.message.Message, response: dns.message.Message) -> None:
        response.set_rcode(code)
        if soa:
            row = dns.rrset.from_text("test.", 60, "IN", "SOA", "ns.test. admin.test. 1 2 3 4 5")
            response.authority.append(row)
        if ede is not None:
            response.use_edns(options=[dns.edns.EDEOption(dns.edns.EDECode(ede), "policy\x1b[1m")])

    return edit


def answering(edit: Edit) -> Callable[[bytes], list[bytes]]:
    """Return a UDP script."""
    return lambda data: [reply(data, edit)]


async def ask(
    port: int, *, name: str = "web.test", rtype: Literal["A", "AAAA"] = "A", timeout: float = 2
) -> DnsObservation:
    """Look up a name at a scripted resolver."""
    resolver = Resolver(name=f"127.0.0.1:{port}", address="127.0.0.1", port=port)
    return await look_up(name, rtype, resolver=resolver, source=HERE, timeout=timeout)


async def test_answer_with_cnames(udp: Any) -> None:
    """Addresses, the CNAMEs in order, and the least TTL."""
    port = udp(
        answering(
            records(
                "b.test. 20 IN A 192.0.2.2",
                "web.test. 300 IN CNAME a.privatelink.test.",
                "a.privatelink.test. 30 IN CNAME b.test.",
                "b.test. 20 IN A 192.0.2.1",
                "stray.test. 1 IN A 192.0.2.99",
            )
        )
    )
    seen = await ask(port)
    assert seen.failure is None
    assert set(seen.answers) == {"192.0.2.1", "192.0.2.2"}
    assert seen.cnames == ("a.privatelink.test", "b.test")
    assert seen.ttl == 20
    assert seen.rcode == "NOERROR"
    assert seen.resolver == f"127.0.0.1:{port}"
    (query,) = seen.queries
    assert query.edns
    assert {"qr", "rd", "ra"} <= set(query.flags)


async def test_cname_loop(udp: Any) -> None:
    """It is NODATA."""
    seen = await ask(udp(answering(records("web.test. 1 IN CNAME a.test.", "a.test. 1 IN CNAME web.test."))))
    assert seen.failure is Failure.NODATA
    assert len(seen.cnames) <= 32


@pytest.mark.parametrize(
    ("edit", "failure", "name"),
    [
        (rcode(dns.rcode.NXDOMAIN), Failure.NXDOMAIN, "NXDOMAIN"),
        (rcode(dns.rcode.NOERROR), Failure.NODATA, "NOERROR"),
        (rcode(dns.rcode.SERVFAIL), Failure.RCODE, "SERVFAIL"),
        (rcode(dns.rcode.REFUSED), Failure.RCODE, "REFUSED"),
    ],
)
async def test_negative_answers(udp: Any, edit: Edit, failure: Failure, name: str) -> None:
    """Each rcode is final after one query."""
    seen = await ask(udp(answering(edit)))
    assert (seen.failure, seen.rcode, len(seen.queries)) == (failure, name, 1)


async def test_soa_and_extended_errors(udp: Any) -> None:
    """A filter's NXDOMAIN lacks the SOA; an Extended DNS Error is recorded."""
    zone = await ask(udp(answering(rcode(dns.rcode.NXDOMAIN, soa=True))))
    filtered = await ask(udp(answering(rcode(dns.rcode.NXDOMAIN, ede=15))))
    assert (zone.queries[0].authority_soa, filtered.queries[0].authority_soa) == (True, False)
    (error,) = filtered.queries[0].extended_errors
    assert (error.code, error.text) == (15, "policy")


@pytest.mark.parametrize("code", [dns.rcode.FORMERR, dns.rcode.NOTIMP])
async def test_fallback_without_edns(udp: Any, code: dns.rcode.Rcode) -> None:
    """The query is repeated without EDNS, and both are recorded."""

    def answer(data: bytes) -> list[bytes]:
        if dns.message.from_wire(data).edns >= 0:
            return [data[:2] + bytes([0x80, code]) + bytes(8)]
        return [reply(data, records("web.test. 9 IN A 192.0.2.1"))]

    seen = await ask(udp(answer))
    assert seen.answers == ("192.0.2.1",)
    assert [(one.edns, one.failure) for one in seen.queries] == [(True, Failure.RCODE), (False, None)]


async def test_dropped_edns_queries(udp: Any) -> None:
    """Two timeouts with EDNS, then an answer without."""

    def answer(data: bytes) -> list[bytes]:
        if dns.message.from_wire(data).edns >= 0:
            return []
        return [reply(data, records("web.test. 9 IN A 192.0.2.1"))]

    seen = await ask(udp(answer))
    assert seen.failure is None
    assert [(one.edns, one.failure) for one in seen.queries] == [
        (True, Failure.TIMEOUT),
        (True, Failure.TIMEOUT),
        (False, None),
    ]


async def test_one_lost_datagram(udp: Any) -> None:
    """The second query is answered; the first is recorded as TIMEOUT."""
    received: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        received.append(data)
        return [reply(data, records("web.test. 9 IN A 192.0.2.1"))] if len(received) > 1 else []

    seen = await ask(udp(answer))
    assert [one.failure for one in seen.queries] == [Failure.TIMEOUT, None]


async def test_late_answer_counts(udp: Any) -> None:
    """A slow resolver answers the first query while the second is out."""
    received: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        received.append(data)
        return [reply(received[0], records("web.test. 9 IN A 192.0.2.1"))] if len(received) > 1 else []

    seen = await ask(udp(answer))
    assert seen.answers == ("192.0.2.1",)
    assert [(one.failure, one.answers) for one in seen.queries] == [(None, ("192.0.2.1",)), (None, ())]
    assert seen.queries[1].detail == ANSWERED_EARLIER


def test_answer_in_the_socket_is_no_timeout() -> None:
    """A host too busy to read its sockets in time does not blame the network.

    On a plain event loop: its clock runs on while the process is busy.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer_once() -> None:
            data, peer = server.recvfrom(4096)
            server.sendto(reply(data, records("web.test. 9 IN A 192.0.2.1")), peer)

        async def busy() -> DnsObservation:
            thread = threading.Thread(target=answer_once)
            thread.start()
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(ask(server.getsockname()[1]))
                await asyncio.sleep(0)
                thread.join()
                time.sleep(0.5)  # noqa: ASYNC251 - the timer is due before anyone looks
            return asked.result()

        seen = asyncio.run(busy())
    assert [one.failure for one in seen.queries] == [None]


async def both(udp: Any, serve: Any, over_udp: Callable[[bytes], list[bytes]], over_tcp: Edit) -> int:
    """Serve DNS on one port over UDP and TCP."""

    async def script(peer: Any) -> None:
        data = await peer.reader.readexactly(int.from_bytes(await peer.reader.readexactly(2), "big"))
        answer = reply(data, over_tcp)
        await peer.send(len(answer).to_bytes(2, "big") + answer)

    for _ in range(20):  # the port that is free for UDP may be taken for TCP
        port: int = udp(over_udp)
        with contextlib.suppress(OSError):
            await serve(script, port=port)
            return port
    pytest.fail("no port is free for both")


def truncated(_: dns.message.Message, response: dns.message.Message) -> None:
    """Set TC."""
    response.flags |= dns.flags.TC


async def test_truncated_answer_falls_back_to_tcp(udp: Any, serve: Any) -> None:
    """The truncated answer is recorded as such."""
    many = records(*(f"web.test. 9 IN A 192.0.2.{n}" for n in range(1, 60)))
    seen = await ask(await both(udp, serve, answering(truncated), many))
    assert len(seen.answers) == 59
    first, second = seen.queries
    assert (first.transport, first.failure, "tc" in first.flags) == ("udp", Failure.TRUNCATED, True)
    assert (second.transport, second.failure) == ("tcp", None)


async def test_answer_cut_in_the_middle_of_a_record(udp: Any, serve: Any) -> None:
    """With TC the query is repeated over TCP even so."""

    def cut(data: bytes) -> list[bytes]:
        whole = bytearray(reply(data, records("web.test. 9 IN A 192.0.2.1", "web.test. 9 IN A 192.0.2.2")))
        whole[2] |= 2
        return [bytes(whole[:-20])]

    seen = await ask(await both(udp, serve, cut, records("web.test. 9 IN A 192.0.2.1")))
    assert seen.answers == ("192.0.2.1",)
    assert [one.failure for one in seen.queries] == [Failure.TRUNCATED, None]


async def test_truncated_and_tcp_refused(udp: Any) -> None:
    """The refused TCP connection decides."""
    seen = await ask(udp(answering(truncated)))
    assert seen.failure is Failure.REFUSED
    assert [one.transport for one in seen.queries] == ["udp", "tcp"]
    assert seen.answers == ()


async def test_answer_over_tcp_only(udp: Any, serve: Any) -> None:
    """Three UDP queries without answer, then TCP."""
    port = await both(udp, serve, lambda _: [], records("web.test. 9 IN A 192.0.2.1"))
    begun = monotonic()
    seen = await ask(port, timeout=1)
    assert seen.answers == ("192.0.2.1",)
    assert [one.transport for one in seen.queries] == ["udp", "udp", "udp", "tcp"]
    assert monotonic() - begun < 2


async def test_no_answer_at_all(udp: Any, full_backlog: int) -> None:
    """UDP and TCP together end within the timeout."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.bind(("127.0.0.1", full_backlog))
        begun = monotonic()
        seen = await ask(full_backlog, timeout=1)
    assert seen.failure is Failure.TIMEOUT
    assert len(seen.queries) == 4
    assert 0.9 < monotonic() - begun < 2


async def test_closed_port(closed_port: Callable[..., int]) -> None:
    """The ICMP error ends the waiting at once; TCP is tried, as it may be open."""
    seen = await ask(closed_port(socket.SOCK_DGRAM))
    assert seen.failure is Failure.REFUSED
    query, over_tcp = seen.queries
    assert over_tcp.transport == "tcp"
    assert query.icmp is not None
    assert (query.icmp.type, query.icmp.code, query.icmp.offender) == (3, 3, "127.0.0.1")


async def test_garbage_with_our_id_is_malformed(udp: Any) -> None:
    """Bytes with our id that are no DNS message, to every query."""
    seen = await ask(udp(lambda data: [data[:2] + b"\xff" * 30]), timeout=1)
    assert seen.failure is Failure.MALFORMED
    assert [one.transport for one in seen.queries] == ["udp", "udp", "udp", "tcp"]


@pytest.mark.parametrize(
    "bad",
    [
        lambda data: data[:2],
        lambda data: data[:2] + b"\xff" * 30,
        lambda data: data[:2] + b"\x81\x80" + bytes(3),
        lambda data: reply(data, records("web.test. 9 IN A 192.0.2.1"))[:-3],
    ],
)
async def test_malformed_datagram_before_the_right_one(udp: Any, bad: Callable[[bytes], bytes]) -> None:
    """It is counted, and the wait goes on: anybody can send a datagram."""
    port = udp(lambda data: [bad(data), reply(data, records("web.test. 9 IN A 192.0.2.1"))])
    seen = await ask(port)
    (query,) = seen.queries
    assert (seen.answers, query.failure, query.ignored) == (("192.0.2.1",), None, 1)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the resolver on loopback count as one across a network."""
    monkeypatch.setattr("egressd.net.dns.query._is_loopback", lambda _: False)


@pytest.mark.usefixtures("away")
async def test_second_answer_that_differs_is_recorded(udp: Any) -> None:
    """The first one counts, as for any client; the other shows that two parties answered."""

    def answer(data: bytes) -> list[bytes]:
        return [
            reply(data, rcode(dns.rcode.NXDOMAIN)),
            reply(data, rcode(dns.rcode.NXDOMAIN)),
            reply(data, records("web.test. 9 IN A 192.0.2.1")),
        ]

    seen = await ask(udp(answer))
    (query,) = seen.queries
    assert seen.failure is Failure.NXDOMAIN
    assert [(one.rcode, one.answers) for one in query.other_answers] == [("NOERROR", ("192.0.2.1",))]


@pytest.mark.usefixtures("away")
async def test_answers_to_two_queries_are_no_race(udp: Any) -> None:
    """A resolver that hands out its addresses in turn answers a repeated query differently."""
    received: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        received.append(data)
        if len(received) < 2:
            return []
        return [reply(one, records(f"web.test. 9 IN A 192.0.2.{n}")) for n, one in enumerate(received, 1)]

    seen = await ask(udp(answer))
    assert seen.answers == ("192.0.2.1",)
    assert [one.other_answers for one in seen.queries] == [(), ()]


async def test_datagram_counts_while_tcp_is_tried(udp: Any, serve: Any) -> None:
    """The socket stays open to the end: a resolver that recurses slowly is no silent one."""
    answered = asyncio.Event()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)

    async def over_tcp(_: Any) -> None:
        """Answer the first query over UDP once TCP was connected to, and say nothing here."""
        data, client = sock.recvfrom(4096)
        sock.sendto(reply(data, records("web.test. 9 IN A 192.0.2.1")), client)
        await answered.wait()

    await serve(over_tcp, port=sock.getsockname()[1])
    seen = await ask(sock.getsockname()[1], timeout=2)
    answered.set()
    sock.close()
    assert seen.answers == ("192.0.2.1",)
    assert (seen.queries[0].transport, seen.queries[0].failure) == ("udp", None)
    assert seen.queries[-1].detail == ANSWERED_EARLIER


async def ask_both(port: int) -> DnsObservation:
    """Look up a name over each transport."""
    resolver = Resolver(name=f"127.0.0.1:{port}", address="127.0.0.1", port=port)
    return await look_up_both("web.test", "A", resolver=resolver, source=HERE, timeout=1)


async def test_both_transports_are_tried_whatever_the_other_gets(udp: Any, serve: Any) -> None:
    """One answer is a success, and the other transport's end is on record."""
    good = records("web.test. 9 IN A 192.0.2.1")
    every = await ask_both(await both(udp, serve, answering(good), good))
    udp_only = await ask_both(udp(answering(good)))
    tcp_only = await ask_both(await both(udp, serve, lambda _: [], good))
    ends = [
        (seen.failure, [(one.transport, one.failure) for one in seen.queries])
        for seen in (every, udp_only, tcp_only)
    ]
    silent = ("udp", Failure.TIMEOUT)
    assert ends == [
        (None, [("udp", None), ("tcp", None)]),
        (None, [("udp", None), ("tcp", Failure.REFUSED)]),
        (None, [silent, silent, silent, ("tcp", None)]),
    ]


async def test_server_without_recursion(udp: Any) -> None:
    """An answer that only names other servers is a referral; an empty one with the zone's SOA is none."""

    def refer(_: dns.message.Message, response: dns.message.Message) -> None:
        response.flags &= ~dns.flags.RA
        response.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.test."))

    referred = await ask(udp(answering(refer)))
    empty = await ask(udp(answering(rcode(dns.rcode.NOERROR, soa=True))))
    assert (referred.failure, referred.queries[0].referral) == (Failure.NODATA, True)
    assert (empty.failure, empty.queries[0].referral) == (Failure.NODATA, False)


async def test_wrong_id_is_ignored(udp: Any) -> None:
    """A spoofed answer before the real one changes nothing."""

    def answer(data: bytes) -> list[bytes]:
        forged = reply(data, records("web.test. 9 IN A 198.51.100.1"))
        real = reply(data, records("web.test. 9 IN A 192.0.2.1"))
        return [bytes([forged[0] ^ 1]) + forged[1:], b"", b"x", real]

    assert (await ask(udp(answer))).answers == ("192.0.2.1",)


async def test_answer_to_another_question_is_ignored(udp: Any) -> None:
    """The id alone is not enough: the question must be ours."""

    def answer(data: bytes) -> list[bytes]:
        other = dns.message.make_query("other.test", "A", id=int.from_bytes(data[:2], "big"))
        return [reply(other.to_wire(), records("other.test. 9 IN A 198.51.100.1"))]

    seen = await ask(udp(answer), timeout=0.6)
    assert seen.answers == ()
    assert seen.queries[0].failure is Failure.MALFORMED
    assert len(seen.queries) == 4


@pytest.mark.parametrize("name", ["", ".", "a" * 64 + ".test", "a..b", "x." * 130 + "test", "\udcff.test"])
async def test_invalid_names(name: str) -> None:
    """NAME_INVALID, and nothing is sent."""
    for seen in (await ask(9, name=name), await look_up_system(name, "A", timeout=1)):
        assert seen.failure is Failure.NAME_INVALID
        assert seen.queries == ()


async def test_idna_names(udp: Any) -> None:
    """A name is queried as its A-label."""
    received: list[str] = []

    def answer(data: bytes) -> list[bytes]:
        received.append(dns.message.from_wire(data).question[0].name.to_text())
        return [reply(data, rcode(dns.rcode.NXDOMAIN))]

    await ask(udp(answer), name="bücher.test")
    assert received == ["xn--bcher-kva.test."]


@pytest.mark.parametrize(
    ("name", "rtype", "answers"),
    [
        ("192.0.2.1", "A", ("192.0.2.1",)),
        ("192.0.2.1", "AAAA", ()),
        ("2001:DB8::1", "AAAA", ("2001:db8::1",)),
        ("[2001:db8::1]", "A", ()),
    ],
)
async def test_literal_addresses(name: str, rtype: Literal["A", "AAAA"], answers: tuple[str, ...]) -> None:
    """No query is sent; the address is the answer of its own family."""
    for seen in (await ask(9, name=name, rtype=rtype), await look_up_system(name, rtype, timeout=1)):
        assert (seen.resolver, seen.answers, seen.queries) == ("literal", answers, ())
        assert seen.failure is (None if answers else Failure.NODATA)


async def test_tcp_only(udp: Any, serve: Any) -> None:
    """The TCP control sends no datagram."""
    received: list[bytes] = []

    def note(data: bytes) -> list[bytes]:
        received.append(data)
        return []

    port = await both(udp, serve, note, records("web.test. 9 IN AAAA 2001:db8::1"))
    resolver = Resolver(name="x", address="127.0.0.1", port=port)
    seen = await look_up_tcp("web.test", "AAAA", resolver=resolver, source=HERE, timeout=2)
    assert seen.answers == ("2001:db8::1",)
    assert received == []


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"\x00", Failure.CLOSED),
        (b"\x00\x20short", Failure.CLOSED),
        (b"\x00\x04abcd", Failure.MALFORMED),
        (b"SSH-2.0-x\r\n", Failure.CLOSED),
    ],
)
async def test_bad_tcp_answers(serve: Any, said: bytes, failure: Failure) -> None:
    """A stream that is no DNS is a failure."""

    async def script(peer: Any) -> None:
        await peer.receive()
        await peer.send(said)

    resolver = Resolver(name="x", address="127.0.0.1", port=await serve(script))
    seen = await look_up_tcp("web.test", "A", resolver=resolver, source=HERE, timeout=2)
    assert seen.failure is failure


async def test_absent_source() -> None:
    """It is INVALID_SOURCE."""
    resolver = Resolver(name="x", address="127.0.0.1")
    away = Source(name="away", address="198.51.100.9")
    seen = await look_up("web.test", "A", resolver=resolver, source=away, timeout=1)
    assert seen.failure is Failure.INVALID_SOURCE


def gaierror(number: int) -> Callable[..., Any]:
    """Return a getaddrinfo that fails."""

    def fail(*_: object, **__: object) -> Any:
        raise socket.gaierror(number, "scripted")

    return fail


@pytest.mark.parametrize(
    ("number", "failure", "errno"),
    [
        (socket.EAI_NONAME, Failure.NXDOMAIN, None),
        (system.EAI_NODATA, Failure.NODATA, None),
        (socket.EAI_AGAIN, Failure.OS_ERROR, socket.EAI_AGAIN),
        (socket.EAI_FAIL, Failure.OS_ERROR, socket.EAI_FAIL),
    ],
)
async def test_getaddrinfo_errors(
    monkeypatch: pytest.MonkeyPatch, number: int, failure: Failure, errno: int | None
) -> None:
    """Each EAI_* number maps to its failure."""
    monkeypatch.setattr("egressd.net.dns.system.socket.getaddrinfo", gaierror(number))
    seen = await look_up_system("web.test", "A", timeout=2)
    (query,) = seen.queries
    assert (seen.failure, query.errno, query.transport) == (failure, errno, "getaddrinfo")


async def test_hosts_file_counts() -> None:
    """localhost is resolved by the system."""
    seen = await look_up_system("localhost", "A", timeout=2)
    assert seen.answers == ("127.0.0.1",)
    assert (seen.resolver, seen.failure) == ("system", None)


async def test_hanging_getaddrinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout holds, threads are few, and lookups that were not started say so."""
    release = threading.Event()

    def hang(*_: object, **__: object) -> Any:
        release.wait(20)
        return []

    monkeypatch.setattr("egressd.net.dns.system.socket.getaddrinfo", hang)
    monkeypatch.setattr(system, "_pool", system._ThreadPool(2))
    begun = monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look_up_system("web.test", "A", timeout=1)) for _ in range(6)]
    release.set()
    assert monotonic() - begun < 10
    assert {task.result().failure for task in tasks} == {Failure.TIMEOUT}
    assert sum("not asked" in task.result().detail for task in tasks) == 4


async def test_bug_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised where it can be logged, and the thread goes on."""

    def bug(*_: object, **__: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("egressd.net.dns.system.socket.getaddrinfo", bug)
    with pytest.raises(ZeroDivisionError):
        await look_up_system("web.test", "A", timeout=2)
    monkeypatch.undo()
    assert (await look_up_system("localhost", "A", timeout=2)).failure is None


def test_resolv_conf(tmp_path: Path) -> None:
    """Three nameservers at most, addresses only, comments ignored."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# nameserver 192.0.2.9\nsearch corp\nnameserver 192.0.2.1\nnameserver bogus\nnameserver\n"
        "nameserver 2001:db8::1\nnameserver 192.0.2.1\nnameserver 192.0.2.4\n"
    )
    found = system_nameservers(conf, tmp_path / "none")
    assert [one.address for one in found] == ["192.0.2.1", "2001:db8::1"]
    assert system_nameservers(tmp_path / "none", tmp_path / "none") == ()


def test_upstreams_of_systemd_resolved(tmp_path: Path) -> None:
    """Behind systemd-resolved's stub its upstream servers are resolvers too."""
    conf, upstreams = tmp_path / "resolv.conf", tmp_path / "upstreams"
    conf.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
    upstreams.write_text("nameserver 192.0.2.53\n")
    assert [one.address for one in system_nameservers(conf, upstreams)] == ["127.0.0.53", "192.0.2.53"]
