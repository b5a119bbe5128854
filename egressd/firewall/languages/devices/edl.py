"""Rules as an external dynamic list of URLs, as PAN-OS fetches it: one entry a line, without comments.

Every entry ends in a slash: before PAN-OS 10.2 `x.com` without it matches `x.com.other.example` as well. `^`
is exactly one label, `*` one or more; neither can be a part of a label. The format documents no comments, so
what the list can't say is told beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, Omitted, choose, is_ip
from egressd.firewall.languages.devices.comments import introduce, plain_line
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import ANY_DEPTH, FirewallRule, Leg
from egressd.model.endpoint import Direction, Protocol

WILDCARDS = Wildcards(
    depth=Depth.AS_ASKED,
    apex=False,
    inside_label=False,
    matched_on="SNI or certificate name, Host, the URL where TLS is decrypted",
)
_URLS = frozenset({Protocol.HTTPS.value, Protocol.HTTP.value, Protocol.TLS.value, Protocol.WSS.value})
_SCOPE = "Ports and sources are no part of the list: they stand in the security rule that it is used in"


def _render(asked: RuleSet) -> str:
    """Write the entries of the rules that a list of URLs can be a criterion for, required ones first."""
    chosen = (one for one in map(_choose, asked.rules) if isinstance(one, Entry))
    entries = dict.fromkeys(_line(one.rule, name) for one in chosen for name in one.names)
    return "".join(f"{one}\n" for one in entries)


def _notes(asked: RuleSet) -> Iterator[str]:
    """Yield what the list does not say: ports and sources, what it allows besides, and what it lacks."""
    if asked.rules:
        found = [_choose(rule) for rule in asked.rules]
        yield from introduce(asked, LANGUAGE, found)
        given = [one.rule for one in found if isinstance(one, Entry)]
        yield from map(plain_line, dict.fromkeys(map(_scope, given)))


def _scope(rule: FirewallRule) -> str:
    sources = ", ".join(rule.sources) or "addresses that are not known"
    return f"It is for {rule.transport.lower()}/{rule.ports} from {sources}."


def _choose(rule: FirewallRule) -> Entry | Omitted:
    if rule.direction is Direction.INBOUND or rule.leg is Leg.TO_PROXY:
        return Omitted(rule=rule, why="no name of it passes the firewall")
    if not _URLS.intersection(rule.protocols):
        return Omitted(rule=rule, why="it is neither TLS nor HTTP: ask for it by address and port")
    if is_ip(rule.destination) and ":" in rule.destination:
        return Omitted(rule=rule, why="the document shows no entry for an IPv6 address")
    return choose(rule, WILDCARDS)


def _line(rule: FirewallRule, name: str) -> str:
    one_label = name.startswith("*.") and rule.subdomains != ANY_DEPTH
    return f"{'^' + name.removeprefix('*') if one_label else name}/"


LANGUAGE = Language(
    name="edl",
    title="an external dynamic list of URLs of PAN-OS",
    suffix=".txt",
    comment="",
    wildcards=WILDCARDS,
    document="Guidelines for URL Category Exceptions, PAN-OS 10.2",
    tried="",
    render=_render,
    remarks=(_SCOPE,),
    notes=_notes,
)
