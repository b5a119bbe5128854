"""Rows that an Azure Arc gateway forwards: who can be blamed where the Arc proxy opens no tunnel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from egressd.attribution import judge
from egressd.model.verdict import Blame, Confidence, Verdict
from tests.attribution.arc_scenes import (
    ARC_PROXY,
    FORWARDED,
    GATEWAY,
    GATEWAY_INSPECTED,
    GATEWAY_REACHED,
    GATEWAY_SILENT,
    GATEWAY_UNKNOWN,
    by_arc_proxy,
)
from tests.attribution.recordings import Site, connect, verdict_of

FIREWALLS = {Blame.FIREWALL_L7, Blame.FIREWALL_L3L4}


def judged(build: Callable[[], Site]) -> Verdict:
    """Return the verdict of the forwarded name."""
    return verdict_of(judge(build().recording()), f"row/{FORWARDED}:443")


def suspects(verdict: Verdict) -> set[Blame]:
    return {one.blame for one in verdict.suspects}


@pytest.mark.parametrize("status", [403, 407, 451, 502, 503, 504])
def test_no_firewall_is_to_blame_where_the_gateway_is_reached(status: int) -> None:
    """The gateway or the agent is: what the gateway forwards needs no other way, and neither is confirmed."""
    verdict = judged(by_arc_proxy(connect(status), gateway=GATEWAY_REACHED))
    assert suspects(verdict) == {Blame.EXPLICIT_PROXY, Blame.AZURE_SERVICE}
    assert FIREWALLS & {one.blame for one in verdict.ruled_out}
    assert verdict.blame_confidence is Confidence.MEDIUM


@pytest.mark.parametrize("status", [403, 502])
def test_no_firewall_is_to_blame_where_the_arc_proxy_opens_other_tunnels(status: int) -> None:
    """Its way to the gateway is open, whether or not the gateway's own URL was asked for."""
    verdict = judged(by_arc_proxy(connect(status), beside=True))
    assert not FIREWALLS & suspects(verdict)


@pytest.mark.parametrize("gateway", [None, GATEWAY_INSPECTED], ids=["not-tried", "inspected"])
def test_a_firewall_stays_a_suspect_where_the_way_to_the_gateway_is_not_proven(gateway: object) -> None:
    """What answers with a certificate of its own may break the tunnel inside."""
    verdict = judged(by_arc_proxy(connect(502), gateway=gateway))  # type: ignore[arg-type]  # a trail or None
    assert suspects(verdict) >= FIREWALLS
    assert verdict.blame_confidence is Confidence.LOW


def test_the_way_to_the_gateway_comes_first() -> None:
    """Its own row is the one to mend: nobody is accused of the rest."""
    verdict = judged(by_arc_proxy(connect(502), gateway=GATEWAY_SILENT))
    assert verdict.reason == "proxy_arc_no_gateway"
    assert verdict.blame_confidence is Confidence.LOW
    assert "Mend the way to the Azure Arc gateway first" in verdict.advice


def test_who_answers_for_names_comes_first_where_the_gateway_has_no_address() -> None:
    """No firewall is a suspect for a name that is not found."""
    verdict = judged(by_arc_proxy(connect(502), gateway=GATEWAY_UNKNOWN))
    assert verdict.reason == "proxy_arc_no_gateway"
    assert verdict.blame is Blame.DNS_RESOLVER
    assert not FIREWALLS & suspects(verdict)


def test_texts_name_the_arc_proxy_and_the_gateway() -> None:
    """Neither the configured proxy nor a connection to the name itself, which nobody makes."""
    verdict = judged(by_arc_proxy(connect(502)))
    decided_by = {one.blame: one.decided_by for one in verdict.suspects}
    assert ARC_PROXY in decided_by[Blame.EXPLICIT_PROXY]
    assert f"{ARC_PROXY} to {GATEWAY}:443" in decided_by[Blame.FIREWALL_L7]
    assert any(ARC_PROXY in line and "not by the configured path" in line for line in verdict.evidence)


def test_nothing_on_the_network_is_to_blame_for_a_proxy_on_this_host() -> None:
    """The host's own agent is."""
    verdict = judged(by_arc_proxy())
    assert (verdict.reason, verdict.blame) == ("proxy_arc_unreachable", Blame.LOCAL_HOST)
    assert suspects(verdict) == {Blame.LOCAL_HOST}
