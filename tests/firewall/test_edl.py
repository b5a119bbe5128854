"""The list of URLs for PAN-OS: entries only, each closed by a slash; what it can't say is told beside it."""

from __future__ import annotations

import re

import pytest

from egressd.firewall import Action, FirewallRule, Leg
from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH
from egressd.model.endpoint import Direction
from tests.firewall.made import HOSTILE, document, made, written


def notes(*rules: FirewallRule) -> str:
    """Return what is told beside the list."""
    return "\n".join(LANGUAGES["edl"].notes(document(*rules)))


def test_entries_say_names_as_they_are_asked_for() -> None:
    """A star of one label is `^`, one of any depth `*`; a host on two ports is one entry."""
    text = written(
        "edl",
        made("mcr.example"),
        made("mcr.example", port=80, protocols=["http"]),
        made("*.his.example"),
        made("*.dl.example", subdomains=ANY_DEPTH),
        made("192.0.2.7"),
    )
    assert text.splitlines() == ["mcr.example/", "^.his.example/", "*.dl.example/", "192.0.2.7/"]


def test_a_part_of_a_label_is_wider_and_said() -> None:
    """`azgn*` becomes the whole label, and the note says which names that lets pass."""
    rule = made("azgn*.bus.example")
    assert written("edl", rule) == "^.bus.example/\n"
    assert "azgn*.bus.example cannot be said: every name under bus.example passes" in notes(rule)


@pytest.mark.parametrize(
    "rule",
    [
        *(made(name) for name in HOSTILE),
        made("t.example", port=123, transport="UDP", protocols=["ntp"]),
        made("t.example", port=22, protocols=["tcp"]),
        made("t.example", action=Action.EXEMPT),
        made("t.example", direction=Direction.INBOUND),
        made("t.example", leg=Leg.TO_PROXY),
        made("t.example", leg=Leg.AT_PROXY),
        made("2001:db8::7"),
        made("<scvmm_server>"),
    ],
)
def test_what_it_cannot_say_is_a_note_and_no_entry(rule: FirewallRule) -> None:
    """Nothing but entries is in the list; a note of one printable line names what is not."""
    assert written("edl", rule) == ""
    assert "left out" in notes(rule).lower()
    assert notes(rule).replace("\n", "").isprintable()


def test_ports_and_sources_are_told() -> None:
    """They are no part of the list, so they are told beside it."""
    told = notes(made("a.example"), made("b.example", port=80, protocols=["http"], sources=[]))
    assert "tcp/443 from 10.20.0.11, 10.20.0.12" in told
    assert "tcp/80 from addresses that are not known" in told
    assert re.search(r"security rule", told)


def test_without_rules_it_is_empty() -> None:
    """No rule gives an empty list and no note."""
    assert written("edl") == ""
    assert notes() == ""
