"""Rules as a JSON report has them: one for each source address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from egressd.firewall import Action, FirewallRule, Leg
from egressd.model.endpoint import Need, Protocol
from egressd.model.verdict import Confidence, Finding, Team

_ENCRYPTED = frozenset(one.value for one in Protocol if one.encrypted)


class RuleEntry(Struct, frozen=True, kw_only=True):
    """One rule to ask for, from one address."""

    action: Action
    """`allow`, `exempt` (from TLS inspection), or `resolve` (answer for the name as public DNS does)."""
    team: Team
    """Who can add it."""
    confidence: Confidence | None
    """How sure it is that this party stops what the rule is for."""
    from_: str | None = field(name="from")
    """The address that connections leave from; null: none is known."""
    to: str
    """The pattern or the host; on the way to a proxy, that."""
    port: int | None
    last_port: int | None
    """The last port of a range; null: there is one port only."""
    protocol: str
    transport: str
    sni: str | None
    """The host as it stands in TLS; null: a pattern, or no TLS."""
    pattern: str | None
    """The wildcard; null: one host."""
    need: Need
    service_tag: str | None
    """The one that has the addresses seen, by Microsoft's file; null: no file was given, or none has."""
    service_tags: tuple[str, ...]
    """Azure service tags that cover it, where a document names them."""
    leg: Leg
    via: str | None
    """The proxy that the leg goes to, through or from; null: none."""
    one_of: str | None
    targets: tuple[str, ...]
    """Ids of the targets that fail for want of it; empty: revocation servers and the like."""


class FindingEntry(Finding, frozen=True, kw_only=True):
    """A finding, and the rules that it asks for, required ones first."""

    rules: tuple[RuleEntry, ...] = ()


def rule_entries(rules: Iterable[FirewallRule]) -> tuple[RuleEntry, ...]:
    """Return rules one by one: a rule from two addresses is two."""
    return tuple(entry for rule in rules for entry in _entries(rule))


def _entries(rule: FirewallRule) -> Iterator[RuleEntry]:
    encrypted = not _ENCRYPTED.isdisjoint(rule.protocols)
    for address in rule.sources or (None,):
        yield RuleEntry(
            action=rule.action,
            team=rule.team,
            confidence=rule.confidence,
            from_=address,
            to=rule.destination,
            port=rule.port,
            last_port=rule.last_port,
            protocol=rule.protocols[0] if rule.protocols else rule.transport.lower(),
            transport=rule.transport,
            sni=rule.destination if encrypted and not rule.is_wildcard else None,
            pattern=rule.destination if rule.is_wildcard else None,
            need=rule.need,
            service_tag=rule.service_tag,
            service_tags=tuple(rule.service_tags),
            leg=rule.leg,
            via=rule.proxy or None,
            one_of=rule.one_of[0] if rule.one_of else None,
            targets=tuple(rule.targets),
        )
