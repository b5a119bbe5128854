"""Behind a proxy no text speaks of the direct way, whatever the far end did."""

from __future__ import annotations

import re

import pytest

from egressd.attribution import judge
from egressd.attribution.reasons import REASONS, Reason
from egressd.attribution.reasons.by_path import confirmation_by_proxy, holds_in_tunnel, names_direct_way
from egressd.model.endpoint import Protocol
from egressd.model.observation import HttpObservation, Observation, Phase, TlsObservation
from egressd.model.recording import Trail
from egressd.model.verdict import Blame, Finding, Verdict
from tests.attribution.cases import SCENES, Scene
from tests.attribution.recordings import ADDRESS, PROXY, Site, connect, dns, tcp, trail

PROXY_ADDRESS = "10.9.8.7"
DIRECT_WORDS = re.compile(
    r"port forward|\bNAT\b|another resolver|\bDNS\b|\bgateway of\b|clamp|too big|packet capture|"
    + re.escape(ADDRESS)
)
PARTIES_OF_DIRECT_WAY = {
    Blame.DNS_FILTER,
    Blame.DNS_RESOLVER,
    Blame.NAT_DEVICE,
    Blame.LOCAL_GATEWAY,
    Blame.PATH_MTU_LINK,
    Blame.TRANSPARENT_PROXY,
    Blame.FIREWALL_L3L4,
    Blame.UPSTREAM_PATH,
    Blame.UNKNOWN_MIDDLEBOX,
}


def beyond_proxy(scene: Scene) -> Site | None:
    """Return what a scene's first conversation shows beyond its connect, as seen through a proxy."""
    direct = scene.build()
    seen: tuple[Trail, ...] = direct.records[0].trails
    known = next((one for one in seen if _beyond(one)), None)
    probe, target = direct.probes[0], direct.targets[0]
    if known is None or known.path != "direct" or probe.protocol not in (Protocol.HTTPS, Protocol.TLS):
        return None
    site = Site(public_roots=direct.public_roots, clock_offset=direct.clock_offset)
    proxy = dns(PROXY_ADDRESS, name="proxy.corp.example")
    opened = (proxy, tcp(address=PROXY_ADDRESS, port=3128), connect())
    site.add(
        trail(*opened, *_beyond(known), path=PROXY),
        host=probe.host,
        protocol=probe.protocol,
        sample=target.sample,
        expect=target.expect,
        inspection=target.inspection,
        via_proxy=True,
    )
    return site


def _beyond(one: Trail) -> tuple[Observation, ...]:
    return tuple(seen for seen in one.observations if isinstance(seen, TlsObservation | HttpObservation))


SITES = {one.name: site for one in SCENES if (site := beyond_proxy(one)) is not None}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_the_same_trouble_through_a_proxy(site: Site) -> None:
    """Advice, suspects, what decides and titles speak of the proxy's side; the proxy is not the server."""
    sweep = judge(site.recording())
    claims: list[Verdict | Finding] = [*(one.verdict for one in sweep.verdicts), *sweep.findings]
    for one in claims:
        texts = said_by(one)
        assert not [text for text in texts if DIRECT_WORDS.search(text)]
        assert not [text for text in texts if re.search(rf"{re.escape(PROXY_ADDRESS)}(?!:3128)", text)]
        assert not PARTIES_OF_DIRECT_WAY & {one.blame, *(suspect.blame for suspect in one.suspects)}


def said_by(one: Verdict | Finding) -> tuple[str, ...]:
    """Return the texts of a verdict or a finding that are about the far end."""
    title = (one.title,) if isinstance(one, Finding) else ()
    return (*title, one.advice or "", *(suspect.decided_by for suspect in one.suspects))


def test_scenes_go_through_the_proxy() -> None:
    """The test above is about many kinds of trouble, and what the far end did is still named."""
    verdicts = [judge(one.recording()).verdicts[0].verdict for one in SITES.values()]
    assert len({one.reason for one in verdicts if one.reason is not None}) > 40
    assert len([one for one in verdicts if one.advice and PROXY in one.advice]) > 25


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda one: one.code)
def test_an_advice_of_the_direct_way_is_kept_out_of_tunnels(reason: Reason) -> None:
    """What names an address, a resolver or a device of our own way is not said where a proxy stands."""
    direct = "{address}" in reason.advice or "{remote}" in reason.advice or "{resolver}" in reason.advice
    if direct and not reason.code.startswith("proxy_"):
        assert not holds_in_tunnel(reason)


@pytest.mark.parametrize(
    ("text", "direct"),
    [
        ("Check port forwards and destination NAT.", True),
        ("Look between {source} and {host}.", True),
        ("Renew the certificate of {host}.", False),
        ("Exempt {host} from TLS inspection for {source}.", False),
    ],
)
def test_direct_way(text: str, direct: bool) -> None:
    """Words of the network between this host and the server, but not words about the server."""
    assert names_direct_way(text) is direct


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda one: one.code)
def test_commands_take_the_way_of_the_probe(reason: Reason) -> None:
    """Where a reason can arise in a tunnel there is a command through the proxy, and none around it."""
    text = confirmation_by_proxy(reason)
    inside = reason.phase in (Phase.TLS, Phase.HTTP) and not reason.code.startswith("proxy_")
    assert bool(text) is inside
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    assert all("-x {proxy}" in line or "-proxy " in line for line in commands)
