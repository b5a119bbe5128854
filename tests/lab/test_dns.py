"""The lab's resolver: correct by default, and faulty exactly as the fault says."""

from __future__ import annotations

import asyncio
import socket

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.lab.dns import ANSWER_EFFECTS, PARTIAL_EFFECTS, LabResolver, serve_dns
from egressd.lab.faults import FAULTS, ActiveFaults, Layer, parse_switch
from egressd.lab.sockets import LOOPBACK, ServerGroup
from egressd.lab.zone import Zone, public_address

HOST = "mcr.microsoft.com"
HIS = "gbl.his.arc.azure.com"
ZONE = Zone(hosts=frozenset({HOST, HIS, "vmm01.lab.test"}))


def resolver(*faults: str, second: bool = False) -> LabResolver:
    return LabResolver(ZONE, ActiveFaults(parse_switch(one) for one in faults), second=second)


def ask(
    name: str, *faults: str, kind: str = "A", edns: bool = True, second: bool = False
) -> dns.message.Message | None:
    """Query without a socket; None: no answer."""
    query = dns.message.make_query(name, kind, use_edns=0 if edns else False)
    data = resolver(*faults, second=second).reply(query.to_wire(), tcp=False)
    return None if data is None else dns.message.from_wire(data)


def said(
    name: str, *faults: str, kind: str = "A", edns: bool = True, second: bool = False
) -> dns.message.Message:
    answer = ask(name, *faults, kind=kind, edns=edns, second=second)
    assert answer is not None
    return answer


def addresses(message: dns.message.Message) -> list[str]:
    return [
        record.to_text()
        for rrset in message.answer
        for record in rrset
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
    ]


def test_existing_host() -> None:
    """The answer is the host's address, without AA, and the same each time."""
    answer = said(HOST)
    assert addresses(answer) == [public_address(HOST)]
    assert not answer.flags & dns.flags.AA
    assert answer.flags & dns.flags.RA
    assert addresses(said(HOST.upper())) == [public_address(HOST)]


def test_addresses_are_never_on_the_internet() -> None:
    """Public hosts are in the benchmark range, internal ones in a private one."""
    assert addresses(said(HOST))[0].startswith(("198.18.", "198.19."))
    assert addresses(said("vmm01.lab.test"))[0].startswith("10.")


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("egressd-probe-00000000.his.arc.azure.com", "A", dns.rcode.NXDOMAIN),
        ("his.arc.azure.com", "A", dns.rcode.NOERROR),
        (HOST, "AAAA", dns.rcode.NOERROR),
        (HOST, "TXT", dns.rcode.NOERROR),
        ("nowhere.example", "A", dns.rcode.NXDOMAIN),
        (".", "A", dns.rcode.NXDOMAIN),
    ],
)
def test_negative_answers_have_an_soa(name: str, kind: str, rcode: dns.rcode.Rcode) -> None:
    """Random labels, empty non-terminals and other types (RFC 2308)."""
    answer = said(name, kind=kind)
    assert answer.rcode() == rcode
    assert answer.answer == []
    assert [rrset.rdtype for rrset in answer.authority] == [dns.rdatatype.SOA]


@pytest.mark.parametrize(
    ("fault", "rcode", "authoritative", "soa"),
    [
        ("dns_nxdomain", dns.rcode.NXDOMAIN, False, True),
        ("dns_nxdomain_filtered", dns.rcode.NXDOMAIN, True, False),
        ("dns_nodata", dns.rcode.NOERROR, True, False),
        ("dns_servfail", dns.rcode.SERVFAIL, False, False),
        ("dns_refused", dns.rcode.REFUSED, False, False),
    ],
)
def test_negative_faults(fault: str, rcode: dns.rcode.Rcode, authoritative: bool, soa: bool) -> None:
    """Filter and zone differ; other names are unaffected."""
    answer = said(HOST, f"{fault}={HOST}")
    assert answer.rcode() == rcode
    assert answer.answer == []
    assert bool(answer.flags & dns.flags.AA) is authoritative
    assert bool(answer.authority) is soa
    assert addresses(said(HIS, f"{fault}={HOST}")) == [public_address(HIS)]


def test_extended_errors_need_edns() -> None:
    """SERVFAIL has 22, REFUSED has 18; without EDNS there are none."""
    for fault, code in (("dns_servfail", 22), ("dns_refused", 18)):
        options = said(HOST, f"{fault}=*").extended_errors()
        assert [int(one.code) for one in options] == [code]
        assert said(HOST, f"{fault}=*", edns=False).edns == -1


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("dns_sinkhole", ["146.112.61.104"]),
        ("dns_sinkhole_page", ["146.112.61.104"]),
        ("dns_bogon", ["10.9.9.9"]),
        ("dns_null", ["0.0.0.0"]),
    ],
)
def test_wrong_addresses(fault: str, answer: list[str]) -> None:
    """A gets the wrong address; AAAA has none but the null address."""
    assert addresses(said(HOST, f"{fault}=*")) == answer
    assert addresses(said(HOST, f"{fault}=*", kind="AAAA")) == (["::"] if fault == "dns_null" else [])


def test_edns_faults() -> None:
    """With an OPT record no answer or FORMERR; without one the correct answer."""
    assert ask(HOST, "dns_edns_dropped=*") is None
    assert said(HOST, "dns_edns_formerr=*").rcode() == dns.rcode.FORMERR
    for fault in ("dns_edns_dropped=*", "dns_edns_formerr=*"):
        assert addresses(said(HOST, fault, edns=False)) == [public_address(HOST)]


def test_aaaa_faults() -> None:
    """AAAA fails or is synthesized; A is correct."""
    assert said(HOST, "dns_aaaa_servfail=*", kind="AAAA").rcode() == dns.rcode.SERVFAIL
    assert addresses(said(HOST, "dns_dns64=*", kind="AAAA"))[0].startswith("64:ff9b::")
    for fault in ("dns_aaaa_servfail=*", "dns_dns64=*"):
        assert addresses(said(HOST, fault)) == [public_address(HOST)]


def test_private_link() -> None:
    """A CNAME into `privatelink` and a private address; or NXDOMAIN where the zone lacks the record."""
    answer = said(HIS, f"dns_private_link={HIS}")
    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A]
    assert answer.answer[0][0].to_text() == "gbl.privatelink.his.arc.azure.com."
    assert addresses(answer)[0].startswith("10.")
    missing = said(HIS, f"dns_private_link_missing={HIS}")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.rdtype for rrset in missing.answer] == [dns.rdatatype.CNAME]


def test_private_link_split() -> None:
    """The second resolver gives the public address."""
    fault = f"dns_private_link_split={HIS}"
    assert addresses(said(HIS, fault))[0].startswith("10.")
    assert addresses(said(HIS, fault, second=True)) == [public_address(HIS)]


def test_nxdomain_rewriting() -> None:
    """The name and a random label get one address; existing hosts keep their own."""
    fault = f"dns_rewritten={HOST}"
    page = addresses(said(HOST, fault))
    assert page not in ([], [public_address(HOST)])
    assert addresses(said("egressd-control.microsoft.com", fault)) == page
    assert addresses(said(HIS, fault)) == [public_address(HIS)]
    assert said("his.arc.azure.com", fault).answer == []


def test_malformed_answers() -> None:
    """A malformed answer has the right id and can't be parsed; a wrong id is the only error."""
    query = dns.message.make_query(HOST, "A")
    broken = resolver("dns_malformed=*").reply(query.to_wire(), tcp=False)
    assert broken is not None
    assert broken[:2] == query.id.to_bytes(2)
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(broken)
    assert said(HOST, "dns_wrong_id=*").id not in (query.id, None)
    data = resolver("dns_wrong_id=*").reply(query.to_wire(), tcp=False)
    assert data is not None
    assert dns.message.from_wire(data).id == query.id ^ 0xFFFF


def test_effects_are_implemented() -> None:
    """Every DNS effect of a fault has code, and the reverse."""
    effects = {effect for fault in FAULTS.values() if (effect := fault.effect(Layer.DNS)) is not None}
    assert effects == {*ANSWER_EFFECTS, *PARTIAL_EFFECTS}


@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    """What is no query is dropped; nothing raises."""
    resolver("dns_private_link=*").reply(data, tcp=False)


@given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3))
def test_any_name(labels: list[bytes]) -> None:
    """Labels may contain dots, backslashes and bytes (RFC 1035)."""
    query = dns.message.make_query(dns.name.Name((*labels, b"")), "A")
    for faults in ((), ("dns_private_link=*",), ("dns_sinkhole=*",)):
        data = resolver(*faults).reply(query.to_wire(), tcp=False)
        if data is not None:
            assert dns.message.from_wire(data).id == query.id


@pytest.fixture
def query() -> dns.message.Message:
    return dns.message.make_query(HOST, "A")


async def test_udp_and_tcp_share_a_port(query: dns.message.Message) -> None:
    """Both transports answer; several queries may follow one another on a stream."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = serve_dns(servers, resolver())
        assert addresses(await dns.asyncquery.udp(query, LOOPBACK, 1.0, port)) == [public_address(HOST)]
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        wire = query.to_wire()
        for _ in range(2):
            writer.write(len(wire).to_bytes(2) + wire)
            size = int.from_bytes(await reader.readexactly(2))
            assert dns.message.from_wire(await reader.readexactly(size)).id == query.id
        writer.close()
        servers.stop()
    servers.close()


async def test_truncation_and_tcp_reset(query: dns.message.Message) -> None:
    """UDP answers TC without records; TCP is reset."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = serve_dns(servers, resolver("dns_truncated=*"))
        answer = await dns.asyncquery.udp(query, LOOPBACK, 1.0, port)
        assert answer.flags & dns.flags.TC
        assert answer.answer == []
        with pytest.raises(ConnectionResetError):
            await dns.asyncquery.tcp(query, LOOPBACK, 1.0, port)
        servers.stop()
    servers.close()


async def test_icmp_error_of_a_closed_client(query: dns.message.Message) -> None:
    """It does not end the server."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = serve_dns(servers, resolver())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(query.to_wire(), (LOOPBACK, port))
        await asyncio.sleep(0.05)
        assert (await dns.asyncquery.udp(query, LOOPBACK, 1.0, port)).answer
        servers.stop()
    servers.close()
