"""One device, one cause: a peer that calls itself something else each time makes no new series or alert."""

from __future__ import annotations

import re
from functools import partial
from itertools import count

import pytest

from egressd.metrics.writing import write_snapshot
from egressd.model.alert import NoticeKind
from egressd.model.observation import Failure
from egressd.model.recording import Trail
from tests.alerting.repair_simulation import Fault, RepairSimulation
from tests.attribution.cases import UNACKED
from tests.attribution.recordings import (
    certificate,
    connect,
    dns,
    facts,
    http,
    icmp,
    tcp,
    tls,
    trail,
)

NAMES = tuple(f"n{number}.example" for number in range(6))
SWEEPS = 50
number = count()


def issuer(name: str, address: str) -> Trail:
    """A device signs with another authority on each connection, name and key."""
    each = next(number)
    chain = (certificate(issuer=f"CN=Inspector {each}", subject=f"CN={name}", san=(name,), aia=()),)
    shown = facts(False, False, key=f"{each:040x}")
    seen = tls(Failure.VERIFY, sni=name, code=20, about=shown, chain=chain)
    return trail(dns(address, name=name), tcp(address=address), seen)


def one_issuer(name: str, address: str, *, by: str = "CN=Inspector", key: str = "11" * 20) -> Trail:
    chain = (certificate(issuer=by, subject=f"CN={name}", san=(name,), aia=()),)
    seen = tls(Failure.VERIFY, sni=name, code=20, about=facts(False, False, key=key), chain=chain)
    return trail(dns(address, name=name), tcp(address=address), seen)


def icmp_sender(name: str, address: str) -> Trail:
    """Each refusal comes from another router."""
    each = next(number)
    error = icmp(3, 13, offender=f"10.{each // 200 % 200}.{each % 200}.1")
    return trail(dns(address, name=name), tcp(Failure.UNREACHABLE, address=address, error=error))


def page(name: str, address: str) -> Trail:
    """A block page with another title, server and redirect each time."""
    each = next(number)
    headers = {"server": f"box-{each}", "via": f"1.1 proxy-{each}", "content-type": "text/html"}
    body = f"<html><title>Denied {each}</title>Access to this site was blocked by policy {each}</html>"
    shown = http(403, headers=headers, body=body, title=f"Denied {each}")
    return trail(dns(address, name=name), tcp(address=address, port=80), shown)


def redirect(name: str, address: str) -> Trail:
    each = next(number)
    shown = http(302, headers={"location": f"http://portal-{each}.example.net/login?{each}"})
    return trail(dns(address, name=name), tcp(address=address, port=80), shown)


def sinkhole(name: str, address: str) -> Trail:
    """A resolver answers another private address and alias each time."""
    each = next(number)
    answer = dns(f"10.66.{each // 200 % 200}.{each % 200}", name=name, cnames=(f"block-{each}.example.net",))
    return trail(answer, tcp(Failure.TIMEOUT, address=answer.answers[0]))


def text(name: str, address: str) -> Trail:
    """Another first line in clear text each time."""
    seen = tls(Failure.NOT_TLS, sni=name, first_text=f"SSH-2.0-box{next(number)}", seen=UNACKED)
    return trail(dns(address, name=name), tcp(address=address), seen)


def via_proxy(name: str, address: str) -> Trail:
    each = next(number)
    refused = connect(
        403, headers={"via": f"1.1 squid-{each}"}, body=f"<title>Denied by squid {each}</title>"
    )
    return trail(refused, path="http://proxy.corp.example:3128")


KINDS: dict[str, tuple[Fault, int]] = {
    "issuer": (issuer, 443),
    "icmp sender": (icmp_sender, 443),
    "page": (page, 80),
    "redirect": (redirect, 80),
    "sinkhole": (sinkhole, 443),
    "text": (text, 443),
    "proxy": (via_proxy, 443),
}


def label_sets(one: RepairSimulation) -> set[str]:
    """Return every series that a snapshot has."""
    page = write_snapshot(one.snapshot, limits={}, openmetrics=False)
    return set(re.findall(r"^(egressd_\S+\{.*\}) ", page, re.MULTILINE))


@pytest.mark.parametrize("witnesses", [(), ("w0.other.example", "w1.other.example", "w2.other.example")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_changes_its_name_on_each_connection(kind: str, witnesses: tuple[str, ...]) -> None:
    """Over 50 sweeps there are no more series, findings, alerts and notices than in the first few."""
    fault, port = KINDS[kind]
    one = RepairSimulation(names=NAMES, witnesses=witnesses, port=port, kinds={kind: fault})
    one.look()
    one.breaks(kind, *NAMES)
    series, findings, alerts = set[str](), set[str](), set[str]()
    early = 0
    for sweep in range(SWEEPS):
        one.look(seconds=20)
        series |= label_sets(one)
        findings |= {each.id for each in one.snapshot.standings.findings}
        alerts |= {each.id for each in one.snapshot.alerts}
        if sweep == 9:
            early = len(series)
    assert len(series) == early
    assert len(findings) <= 2
    assert len(alerts) <= 2 * len(NAMES) + 2
    opened = [each for each in one.notices if each.kind is NoticeKind.OPENED]
    assert 1 <= len(opened) <= 2, [each.alert.id for each in opened]
    assert len(one.notices) <= 3
    texts = [text for each in one.snapshot.standings.findings for text in (each.title, *each.evidence)]
    assert all(len(each) <= 480 for each in texts)


def test_what_it_called_itself_is_evidence() -> None:
    """A few of the names are shown, and how many there were."""
    one = RepairSimulation(names=NAMES, witnesses=(), kinds={"issuer": issuer})
    one.breaks("issuer", *NAMES)
    one.look()
    (finding,) = one.snapshot.standings.findings
    assert "and 4 more" in finding.title
    assert any("signed by CN=Inspector" in line for line in finding.evidence)
    assert any("6 authorities signed" in line for line in finding.evidence)


def test_two_devices_at_two_sources_are_two_causes() -> None:
    """Each inspects one source by an authority of its own; one device at both is one cause."""
    kinds: dict[str, Fault] = {
        "first": one_issuer,
        "second": partial(one_issuer, by="CN=Other", key="99" * 20),
    }
    two = RepairSimulation(names=NAMES, sources=("default", "second"), kinds=kinds)
    two.breaks("first", *NAMES, source="default")
    two.breaks("second", *NAMES, source="second")
    for _ in range(4):
        two.look(seconds=3)
    assert len(two.snapshot.standings.findings) == 2
    assert len({each.title for each in two.snapshot.standings.findings}) == 2
    same = RepairSimulation(names=NAMES, sources=("default", "second"), kinds=kinds)
    same.breaks("first", *NAMES)
    for _ in range(4):
        same.look(seconds=3)
    assert len(same.snapshot.standings.findings) == 1


def test_two_servers_with_authorities_of_their_own_are_two_causes() -> None:
    """What the operator's own servers show is no device on the way, and stays apart by host."""
    one = RepairSimulation(names=NAMES[:2], kinds={"issuer": issuer})
    one.breaks("issuer", *NAMES[:2])
    one.owned = True
    one.look()
    assert len(one.snapshot.standings.findings) == 2
