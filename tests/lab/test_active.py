"""Faults are switched on by name and host, and the table has only codes and effects that exist."""

from __future__ import annotations

import re

import pytest

from egressd.attribution.reasons import find_reason
from egressd.errors import UsageError
from egressd.lab.faults import DEMO, FAULTS, ActiveFaults, Layer, parse_switch
from egressd.lab.leaf import LeafKind
from egressd.lab.responses import BLOCK_PAGES, MODIFYING_EFFECTS, SEND_MODES
from egressd.lab.tls import BREAKING_EFFECTS, NEGOTIATION_EFFECTS


@pytest.mark.parametrize(
    "text",
    ["tls_reset=mcr.microsoft.com", "tls_reset=*.his.arc.azure.com", "http_replaced=*:80", *DEMO],
)
def test_switch_round_trip(text: str) -> None:
    """Parsing and printing are inverse."""
    assert str(parse_switch(text)) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tls_reset", "FAULT=HOST"),
        ("tls_reset=", "FAULT=HOST"),
        ("", "FAULT=HOST"),
        ("nonsense=*", "nonsense"),
        ("tls_reset=*:x", "port"),
        ("tls_reset=*:0", "port"),
        ("tls_reset=*:65536", "port"),
        ("tls_reset=*:99999999999999999999", "port"),
        ("tls_reset=:80", "host"),
    ],
)
def test_invalid_switch(text: str, word: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(UsageError, match=re.escape(word)):
        parse_switch(text)


def test_switch_applies_by_pattern_and_port() -> None:
    """`*` is anything, case does not matter, and a port narrows."""
    switch = parse_switch("tls_reset=*.His.arc.azure.com:443")
    assert switch.applies_to("WEU.his.arc.azure.com.", 443)
    assert switch.applies_to("weu.his.arc.azure.com", None)
    assert not switch.applies_to("weu.his.arc.azure.com", 80)
    assert not switch.applies_to("his.arc.azure.com", 443)


def test_last_switch_wins() -> None:
    """Two faults on one layer: the later one; on two layers: both."""
    active = ActiveFaults(
        parse_switch(one) for one in ("tls_reset=*", "tls_fin=a.example", "http_reset=a.example")
    )
    assert active.effect(Layer.TLS, "a.example") == "fin"
    assert active.effect(Layer.TLS, "b.example") == "reset"
    assert active.effect(Layer.HTTP, "a.example") == "reset"
    assert active.effect(Layer.HTTP, "b.example") is None
    active.set(())
    assert active.effect(Layer.TLS, "a.example") is None


def test_reason_codes_exist() -> None:
    """Every code of the table is a reason code of egressd."""
    codes = {code for one in FAULTS.values() for code in (*one.reasons, *one.everywhere, *one.notes)}
    assert {code for code in codes if find_reason(code) is None} == set()


def test_effects_are_implemented() -> None:
    """A misspelt effect would do nothing."""
    alerts = {f"alert_{number}" for number in range(256)}
    partial = {f"partial_{deed}" for deed in ("reset", "fin", "silence")}
    known = {
        Layer.TLS: {*BREAKING_EFFECTS, *NEGOTIATION_EFFECTS, *alerts, *partial},
        Layer.CERTIFICATE: {one.value for one in LeafKind},
        Layer.HTTP: {
            *BLOCK_PAGES,
            *SEND_MODES,
            *MODIFYING_EFFECTS,
            *(f"service_{code}" for code in range(400, 600)),
        },
        Layer.GLOBAL: {"skew", "accept_all", "dns_intercepted", "no_resolver"},
    }
    effects = [
        (layer, effect) for fault in FAULTS.values() for layer, effect in fault.effects if layer in known
    ]
    assert [one for one in effects if one[1] not in known[one[0]]] == []


def test_every_leaf_kind_is_used() -> None:
    """Every kind of certificate has a fault."""
    effects = {effect for fault in FAULTS.values() if (effect := fault.effect(Layer.CERTIFICATE)) is not None}
    assert effects == {one.value for one in LeafKind} - {LeafKind.GOOD.value}


def test_every_effect_is_used() -> None:
    """Every page, send mode and TLS effect has a fault."""
    effects = {effect for fault in FAULTS.values() for _, effect in fault.effects}
    assert {
        *BLOCK_PAGES,
        *SEND_MODES,
        *MODIFYING_EFFECTS,
        *BREAKING_EFFECTS,
        *NEGOTIATION_EFFECTS,
    } - effects == set()


def test_examples_parse() -> None:
    """Every example of the list can be typed."""
    for fault in FAULTS.values():
        assert parse_switch(f"{fault.name}={fault.example}").fault is fault
