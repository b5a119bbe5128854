"""Hostile bytes from every kind of peer, through probing and every output: nothing but values come out."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egressd.catalog import load_catalog
from egressd.engine.session import Session
from egressd.lab.leaf import LeafKind
from egressd.model.endpoint import Endpoint, Need, Protocol, Role
from egressd.model.observation import Failure
from egressd.model.plan import ControlPlan, Plan
from egressd.model.recording import Recording
from egressd.model.settings import Limits, Proxy, Resolver, Settings, Trust
from egressd.net.tls.certificates import parse_certificate
from tests.hostile.outputs import produce_everything
from tests.hostile.peers import (
    HEADS,
    LOOPBACK,
    SCRIPTS,
    Edit,
    Ending,
    Peers,
    Script,
    authority,
    odd_certificates,
    running,
)

LIMITS = Limits(
    dns_timeout=0.3, connect_timeout=0.5, tls_timeout=0.5, http_timeout=0.5, deadline=2.0, sweep_deadline=3.0
)
ROWS = (
    ("broken", Protocol.HTTPS, "broken.test", "broken"),
    ("odd", Protocol.HTTPS, "odd.test", "odd"),
    ("h2", Protocol.HTTPS, "h2.test", "h2"),
    ("wss", Protocol.WSS, "h2.test", "h2"),
    ("http", Protocol.HTTP, "http.test", "http"),
    ("banner", Protocol.TLS, "http.test", "http"),
    ("ntp", Protocol.NTP, "ntp.test", "ntp"),
    ("dns", Protocol.DNS, LOOPBACK, "dns"),
    ("bad-name", Protocol.HTTPS, "bad.test", "h2"),
)
"""Id, protocol, host and peer."""


class _NoFollowups(Session):
    """A session whose sweeps end after the probes."""

    def _plan_followups(
        self, plan: Plan, seen: Recording, renewed: AbstractSet[str]
    ) -> tuple[ControlPlan, ...]:
        return ()


class _OnLoopback(Session):
    """A session with the controls that follow a failure, but for those that leave this host."""

    def _plan_followups(
        self, plan: Plan, seen: Recording, renewed: AbstractSet[str]
    ) -> tuple[ControlPlan, ...]:
        planned = super()._plan_followups(plan, seen, renewed)
        return tuple(one for one in planned if one.address in (None, LOOPBACK))


def settings_for(peers: Peers, *, proxied: bool) -> Settings:
    """Return settings that lead to the peers, directly or through a hostile proxy."""
    return Settings(
        profiles=(),
        resolvers=(
            Resolver(name=f"{LOOPBACK}:{peers.ports['dns']}", address=LOOPBACK, port=peers.ports["dns"]),
        ),
        trust=Trust(store=str(authority().trust_store), public_roots=str(authority().public_roots)),
        proxy=Proxy(url=f"http://{LOOPBACK}:{peers.ports['proxy']}") if proxied else None,
        limits=LIMITS,
        endpoints=tuple(
            Endpoint(
                id=name,
                profile="",
                service="a service",
                pattern=host,
                port=peers.ports[peer],
                protocol=protocol,
                roles=tuple(Role),
                need=Need.REQUIRED,
                internal=True,
            )
            for name, protocol, host, peer in ROWS
        ),
    )


async def record(script: Script, *, proxied: bool, kind: type[Session] = _NoFollowups) -> Recording:
    """Probe the peers of a script once."""
    async with running(script) as peers:
        session = kind(settings_for(peers, proxied=proxied), load_catalog(), identity="here")
        return await session.probe(base_controls=False)


def sweep_and_check(script: Script, *, proxied: bool, kind: type[Session] = _NoFollowups) -> None:
    """Probe, and make every output; no exception, no bug, no failure that stands for one."""
    with structlog.testing.capture_logs() as lines:
        recording = asyncio.run(record(script, proxied=proxied, kind=kind))
    assert [one for one in lines if "exc_info" in one] == []
    assert [one.bug for one in recording.records if one.bug] == []
    seen = [one for record in recording.records for trail in record.trails for one in trail.observations]
    assert Failure.INTERNAL_ERROR not in [one.failure for one in seen]
    produce_everything(recording)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS, proxied=st.booleans())
def test_any_bytes_through_every_output(script: Script, *, proxied: bool) -> None:
    """Whatever the peers send, a sweep ends with values, and every output can be made of them."""
    sweep_and_check(script, proxied=proxied)


SEEDS = (
    Script(
        dns=(Edit("cut", 0.6, b""),), flight=(Edit("overwrite", 0.4, b"\xff\xff"),), ending=Ending.SILENCE
    ),
    Script(
        certificates=(Edit("overwrite", 0.5, b"\x17\x0d991332000000Z"),),
        kind=LeafKind.SELF_SIGNED,
        head=HEADS[2],
    ),
    Script(frames=(Edit("flip", 0.1, b""),), head=HEADS[3], ntp=(Edit("overwrite", 0.0, b"\xff" * 24),)),
)
"""A few scripts for sweeps with everything that follows them."""


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_any_bytes_to_controls(number: int, *, proxied: bool) -> None:
    """The controls that follow a failure talk to the same peers, and end with values too."""
    sweep_and_check(SEEDS[number], proxied=proxied, kind=_OnLoopback)


@settings(max_examples=300)
@given(script=SCRIPTS)
def test_any_certificate_is_read_or_unknown(script: Script) -> None:
    """A changed certificate gives facts, of which any may be unknown."""
    for der in odd_certificates(script):
        facts = parse_certificate(der).facts
        assert "" not in (facts.not_before, facts.not_after, facts.key, facts.serial)
        assert all(text is None or text.isprintable() for text in (facts.subject, facts.issuer))
