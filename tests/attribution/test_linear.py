"""What is worked out for a sweep grows with its targets, and no faster: counted in lines that run.

Calls would miss a comprehension over the whole sweep, which is one call however long it is. Each turn of a
loop counts as a line, also where the whole loop is in one.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.firewall import Asks
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure
from egressd.model.recording import Baseline, BaselineEntry, Recording, Trail
from egressd.report.ticket.entry import ticket_entries
from tests.attribution.recordings import (
    PROXY,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    icmp,
    tcp,
    tls,
    trail,
)

FEW, MANY = 10, 30
TOLERANCE = 1.2
LEAST = 300
"""Lines of a function below which its growth says nothing."""


def silent(host: str, address: str) -> Trail:
    return trail(dns(address, name=host), tcp(Failure.TIMEOUT, address=address))


def denied(host: str, _address: str) -> Trail:
    return trail(dns(name=host, failure=Failure.NXDOMAIN), address=None)


def unresolved(host: str, _address: str) -> Trail:
    return trail(dns(name=host, failure=Failure.TIMEOUT), address=None)


def stalled(host: str, _address: str) -> Trail:
    """All names lead to one front door."""
    return trail(dns(name=host), tcp(), tls(Failure.TIMEOUT, sni=host))


def inspected(host: str, address: str) -> Trail:
    return trail(
        dns(address, name=host),
        tcp(address=address),
        tls(
            Failure.VERIFY,
            sni=host,
            code=20,
            chain=(certificate(issuer="CN=Corp"),),
            about=facts(public=False),
        ),
    )


def inspected_by_many(host: str, address: str) -> Trail:
    """Each device signs with a key of its own."""
    chain, about = (certificate(issuer=f"CN={host}"),), facts(public=False, key=host)
    seen = tls(Failure.VERIFY, sni=host, code=20, chain=chain, about=about)
    return trail(dns(address, name=host), tcp(address=address), seen)


def forbidden(host: str, address: str) -> Trail:
    """Each address has a router of its own."""
    reported = icmp(3, 13, offender=address.replace("203.0", "198.51"))
    return trail(dns(address, name=host), tcp(Failure.UNREACHABLE, address=address, error=reported))


def cut(host: str, address: str) -> Trail:
    return trail(dns(address, name=host), tcp(address=address), tls(sni=host), http(None, Failure.RESET))


def refused_by_proxy(_host: str, _address: str) -> Trail:
    return trail(tcp(), connect(403, Failure.PROXY_STATUS), path=PROXY)


def in_private_scope(host: str, address: str) -> Trail:
    alias = (f"{host}.privatelink.example",)
    return trail(dns(address.replace("203.0", "10.0"), name=host, cnames=alias), tcp(), tls(sni=host), http())


def site(count: int, fault: Callable[[str, str], Trail], *, share: int, sample: SampleKind) -> Recording:
    """Return a sweep of many names, each with its own address, one in so many of which has the fault."""
    made = Site()
    for number in range(count):
        host, address = f"n{number}.his.arc.azure.com", f"203.0.113.{number}"
        if number % 3 == 0:
            host = f"n{number}.owner{number}.example"
        seen = fault(host, address) if number % share == 0 else good(host, address)
        made.add(seen, host=host, sample=sample, via_proxy=seen.path == PROXY)
    recording = made.recording()
    marks = tuple(
        BaselineEntry(target=one.id, source="default", outcome="ok", random=True, answered=True)
        for one in recording.plan.targets
    )
    return replace(recording, baseline=Baseline(run="b", started=recording.started, marks=marks))


def lines(work: Callable[[], object]) -> Mapping[str, int]:
    """Count the lines that run, by function."""
    counted: defaultdict[int, int] = defaultdict(int)  # hashing a code itself takes long
    codes: dict[int, CodeType] = {}

    def count(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            counted[id(frame.f_code)] += 1
        return count

    def begin(frame: FrameType, _event: str, _argument: object) -> Any:
        codes[id(frame.f_code)] = frame.f_code
        return count

    before = sys.gettrace()
    sys.settrace(begin)
    try:
        work()
    finally:
        sys.settrace(before)
    return {str(code): counted[key] for key, code in codes.items()}


def explain(recording: Recording) -> object:
    """Judge, and write all that is asked of people."""
    sweep = judge(recording)
    return ticket_entries(sweep, Asks(sweep))


@pytest.mark.parametrize("work", [explain, plan_followups])
@pytest.mark.parametrize(
    ("share", "sample"),
    [(1, SampleKind.EXACT), (4, SampleKind.EXACT), (1, SampleKind.RANDOM)],
    ids=("all", "a-fourth", "random"),
)
@pytest.mark.parametrize(
    "fault",
    [
        good,
        silent,
        denied,
        unresolved,
        forbidden,
        stalled,
        inspected,
        inspected_by_many,
        cut,
        refused_by_proxy,
        in_private_scope,
    ],
    ids=lambda one: one.__name__,
)
def test_work_is_in_proportion(
    work: Callable[[Recording], object],
    share: int,
    sample: SampleKind,
    fault: Callable[[str, str], Trail],
) -> None:
    """Three times as many targets are three times the work, whatever is wrong with them."""
    few, many = (site(count, fault, share=share, sample=sample) for count in (FEW, MANY))
    work(many)  # what is kept for the life of the process is kept now
    before, after = lines(lambda: work(few)), lines(lambda: work(many))
    often = {name: number for name, number in after.items() if number > LEAST}
    most = {name: TOLERANCE * MANY / FEW * before.get(name, 0) for name in often}
    assert not [f"{name}: {number}" for name, number in often.items() if number > most[name]]
