"""Rules and documents for tests, and hypothesis strategies for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from egressd.firewall import FirewallRule, Leg, RuleSet
from egressd.firewall.document import Origin
from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL
from egressd.model.endpoint import Need

HOSTILE = (
    "a.example\nhttp_access allow all",
    "a.example http_access",
    "a.example\\",
    "x.example}; flush ruleset",
    "*.example\r\nssl_bump none all",
    "$(reboot).example",
    "*.*.example",
    "a.example/4#inet#filter#other",
    "bücher.example",
    "-n.example",
    "a..example",
    "#.example",
    '"a.example"',
    "a.example\u2028b.example",
    "",
    "*",
    "fe80::1%eth0",
    "fe80::1%x\nhttp_access allow all",
)
"""Destinations that no device may be given."""


def made(destination: str, **changes: Any) -> FirewallRule:
    """Return a rule to allow https to a host or pattern, from two sources."""
    plain: dict[str, Any] = {
        "destination": destination,
        "port": 443,
        "protocols": ["https"],
        "sources": ["10.20.0.11", "10.20.0.12"],
        "need": Need.REQUIRED,
        "services": ["Lab"],
        "subdomains": ONE_LABEL if "*" in destination else "",
    }
    return FirewallRule(**(plain | changes))


def written(language: str, *rules: FirewallRule) -> str:
    """Return rules in a language."""
    return LANGUAGES[language].render(document(*rules))


def document(*rules: FirewallRule) -> RuleSet:
    """Return rules as those of a plan."""
    origin = Origin(
        catalog_revision="2026-11-29", catalog_digest="0", cloud="public", region=None, profiles=("lab",)
    )
    return RuleSet(rules=rules, origin=origin)


LABELS = st.sampled_from(("a", "b", "azgn", "azgn1", "x_y", "mcr", "data"))
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join((*labels, "example")))
PATTERNS = st.builds(lambda star, host: f"{star}.{host}", st.sampled_from(("*", "azgn*", "*n1", "a*")), HOSTS)
ADDRESSES = st.sampled_from(("10.20.0.11", "10.20.0.12", "2001:db8::11"))
SPEECH = st.sampled_from((["https"], ["http"], ["wss", "https"], ["http", "https"], ["tls"]))
NAMED_RULES = st.builds(
    lambda destination, deep, port, sources, protocols: made(
        destination,
        port=port,
        sources=sources,
        protocols=protocols,
        subdomains="" if "*" not in destination else ANY_DEPTH if deep else ONE_LABEL,
        leg=Leg.DIRECT,
    ),
    st.one_of(HOSTS, PATTERNS),
    st.booleans(),
    st.sampled_from((443, 80, 8443)),
    st.lists(ADDRESSES, min_size=1, max_size=2, unique=True),
    SPEECH,
)
