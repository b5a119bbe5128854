"""What is worked out for a sweep grows with its targets, and no faster: counted in calls of functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure
from egressd.model.recording import Baseline, BaselineEntry, Recording, Trail
from tests.attribution.recordings import (
    PROXY,
    Site,
    certificate,
    connect,
    dns,
    facts,
    good,
    http,
    tcp,
    tls,
    trail,
)

FEW, MANY = 20, 60


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


def calls(work: Callable[[], object]) -> int:
    """Count the functions that are called."""
    work()  # what is kept for the life of the process is kept now
    counted = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("work", [judge, plan_followups])
@pytest.mark.parametrize(
    ("share", "sample"),
    [(1, SampleKind.EXACT), (4, SampleKind.EXACT), (1, SampleKind.RANDOM)],
    ids=("all", "a-fourth", "random"),
)
@pytest.mark.parametrize(
    "fault",
    [good, silent, denied, unresolved, stalled, inspected, cut, refused_by_proxy, in_private_scope],
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
    assert calls(lambda: work(many)) <= 1.15 * MANY / FEW * calls(lambda: work(few))
