"""How a name is said on a device, and which hosts stand for a name that it can't say."""

from __future__ import annotations

import pytest

from egressd.firewall.languages.devices.choice import Entry, Omitted, choose
from egressd.firewall.languages.fit import Reach, fit
from egressd.firewall.languages.language import Depth, Wildcards
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL
from tests.firewall.devices.asked import web


def device(depth: Depth, *, apex: bool | None = False, inside: bool = False, part: bool = False) -> Wildcards:
    """Return what a device can say."""
    return Wildcards(depth=depth, apex=apex, inside_label=inside, leading_part=part, matched_on="names")


@pytest.mark.parametrize(
    ("destination", "reach", "says", "expected"),
    [
        (
            "*.x.example",
            ONE_LABEL,
            device(Depth.ANY),
            (Reach.WIDER, "*.x.example", "more labels before x.example"),
        ),
        ("*.x.example", ANY_DEPTH, device(Depth.ANY), (Reach.EXACT, "*.x.example", "")),
        (
            "*.x.example",
            ANY_DEPTH,
            device(Depth.ANY, apex=True),
            (Reach.WIDER, "*.x.example", "x.example passes"),
        ),
        ("*.x.example", ONE_LABEL, device(Depth.ONE), (Reach.EXACT, "*.x.example", "")),
        ("*.x.example", ANY_DEPTH, device(Depth.ONE), (Reach.NARROWER, "*.x.example", "do not pass")),
        ("*.x.example", ONE_LABEL, device(Depth.AS_ASKED), (Reach.EXACT, "*.x.example", "")),
        ("*.x.example", ANY_DEPTH, device(Depth.AS_ASKED), (Reach.EXACT, "*.x.example", "")),
        (
            "*.x.example",
            ANY_DEPTH,
            device(Depth.UNKNOWN, apex=None),
            (Reach.WIDER, "*.x.example", "not documented"),
        ),
        ("*.x.example", ANY_DEPTH, device(Depth.NONE), (Reach.IMPOSSIBLE, "", "no wildcards")),
        (
            "az*.x.example",
            ONE_LABEL,
            device(Depth.ANY),
            (Reach.WIDER, "*.x.example", "every name under x.example"),
        ),
        ("az*.x.example", ONE_LABEL, device(Depth.ANY, inside=True), (Reach.EXACT, "az*.x.example", "")),
        ("*az.x.example", ANY_DEPTH, device(Depth.ANY, part=True), (Reach.EXACT, "*az.x.example", "")),
        (
            "*az.x.example",
            ONE_LABEL,
            device(Depth.ANY, part=True),
            (Reach.WIDER, "*az.x.example", "more labels"),
        ),
        (
            "az*.x.example",
            ANY_DEPTH,
            device(Depth.ANY, part=True),
            (Reach.WIDER, "*.x.example", "every name"),
        ),
        ("h.x.example", "", device(Depth.NONE), (Reach.EXACT, "h.x.example", "")),
        ("*", ANY_DEPTH, device(Depth.ANY), (Reach.IMPOSSIBLE, "", "no domain behind")),
        ("a.*.example", ANY_DEPTH, device(Depth.ANY), (Reach.IMPOSSIBLE, "", "behind the first label")),
        ("<vm>", "", device(Depth.ANY), (Reach.IMPOSSIBLE, "", "give its value")),
        ("a b", "", device(Depth.ANY), (Reach.IMPOSSIBLE, "", "neither a host name nor an address")),
    ],
)
def test_the_narrowest_form_is_taken(
    destination: str, reach: str, says: Wildcards, expected: tuple[Reach, str, str]
) -> None:
    """Each kind of name on each kind of device; what differs from what is asked for is in words."""
    found = fit(web(destination, subdomains=reach), says)
    assert (found.reach, found.form) == expected[:2]
    assert expected[2] in found.why
    assert bool(found.why) is (found.reach is not Reach.EXACT)


def test_hosts_stand_for_a_part_of_a_label_and_for_no_other_wildcard() -> None:
    """A domain of other people's is not opened where hosts are known; a plain wildcard stays one."""
    hosts = ["az1.x.example", "az2.x.example", "not a host", "*.x.example"]
    plain = device(Depth.ANY)
    part = choose(web("az*.x.example", subdomains=ONE_LABEL, hosts=hosts), plain)
    whole = choose(web("*.x.example", subdomains=ONE_LABEL, hosts=hosts), plain)
    without = choose(web("*.x.example", subdomains=ONE_LABEL, hosts=hosts), device(Depth.NONE))
    assert isinstance(part, Entry)
    assert part.names == ("az1.x.example", "az2.x.example")
    assert "only the hosts of it that failed" in part.remarks[0]
    assert isinstance(whole, Entry)
    assert whole.names == ("*.x.example",)
    assert isinstance(without, Entry)
    assert without.names == part.names
    assert isinstance(choose(web("*.x.example", subdomains=ONE_LABEL), device(Depth.NONE)), Omitted)
