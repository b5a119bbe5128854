"""A rule to ask for, as one row of a table that can be copied into a change request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from msgspec import Struct

from egressd.attribution.blame.request import SURE
from egressd.firewall import Action, FirewallRule, Leg

RULE_HEADING = ("action", "from", "to", "port", "protocol", "need", "service tags", "for", "note")
UNKNOWN_SOURCE = "not known"


class RuleRow(Struct, frozen=True, kw_only=True):
    """One rule from all its sources, in the words of a change request."""

    action: str
    sources: str
    destination: str
    port: str
    protocol: str
    need: str
    service_tags: str
    services: str
    note: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of its row, as in the heading."""
        return (
            self.action,
            self.sources,
            self.destination,
            self.port,
            self.protocol,
            self.need,
            self.service_tags,
            self.services,
            self.note,
        )


def rule_rows(rules: Iterable[FirewallRule]) -> tuple[RuleRow, ...]:
    """Return the rows of rules, in their order."""
    return tuple(_row(one) for one in rules)


def rule_columns(rows: Sequence[RuleRow]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the heading and the cells of a table, without the columns that are empty in every row."""
    used = [n for n, _ in enumerate(RULE_HEADING) if any(one.cells[n] for one in rows)]
    heading = tuple(RULE_HEADING[n] for n in used)
    return heading, tuple(tuple(one.cells[n] for n in used) for one in rows)


def rule_lines(rules: Iterable[FirewallRule]) -> tuple[str, ...]:
    """Return rules in sentences, those that differ by name alone in one: complete, however many there are."""
    groups: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        row = _row(rule)
        where = "; ".join((row.need, *_leg(rule)))
        key = _sentence(rule, ", ".join(rule.sources) or "this host"), where
        groups.setdefault(key, []).append(row.destination)
    return tuple(
        f"{start} {', '.join(dict.fromkeys(names))} ({where})" for (start, where), names in groups.items()
    )


def _sentence(rule: FirewallRule, sources: str) -> str:
    """Begin the sentence about a rule; names follow."""
    port = "/".join(part for part in (rule.transport.lower(), rule.ports) if part)
    match rule.action:
        case Action.ALLOW:
            return f"allow {port} from {sources} to"
        case Action.EXEMPT:
            return f"exempt from TLS inspection {port} from {sources} to"
        case Action.RESOLVE:
            return f"answer DNS queries from {sources} as public DNS does for"
        case _:
            assert_never(rule.action)


def _row(rule: FirewallRule) -> RuleRow:
    condition = f": {'; or '.join(rule.conditions)}" if rule.conditions else ""
    return RuleRow(
        action=rule.action.value,
        sources=", ".join(rule.sources) or UNKNOWN_SOURCE,
        destination=rule.destination,
        port=f"{rule.ports}/{rule.transport}" if rule.ports else rule.transport,
        protocol=" ".join(rule.protocols),
        need=f"{rule.need}{condition}",
        service_tags=", ".join(rule.service_tags),
        services="; ".join(rule.services),
        note="; ".join(_notes(rule)),
    )


def _notes(rule: FirewallRule) -> Iterator[str]:
    """Yield what a reader must know besides the cells: the leg, how far `*` reaches, what is not proven."""
    if rule.confidence is not None and rule.confidence not in SURE:
        yield f"a question first: confidence {rule.confidence}"
    if rule.action is Action.EXEMPT:
        yield "no TLS inspection of it"
    if rule.action is Action.RESOLVE:
        yield "DNS answers as public DNS does"
    yield from _leg(rule)
    if rule.subdomains:
        yield f"* stands for {'labels at any depth' if rule.subdomains == 'any depth' else 'one label'}"
    if rule.hosts:
        yield f"where no wildcard can be said: {', '.join(rule.hosts)}"
    if rule.tls_inspection == "forbidden" and rule.action is Action.ALLOW:
        yield "no TLS inspection"
    if rule.websocket:
        yield "WebSocket"
    if rule.one_of:
        yield f"one of {'; '.join(rule.one_of)} is enough"


def _leg(rule: FirewallRule) -> Iterator[str]:
    match rule.leg:
        case Leg.DIRECT:
            return
        case Leg.TO_PROXY:
            yield f"the way to the proxy {rule.proxy}"
        case Leg.AT_PROXY:
            yield f"in the policy of the proxy {rule.proxy}"
        case Leg.FROM_PROXY:
            yield f"the way on from the proxy {rule.proxy}"
        case Leg.BY_GATEWAY:
            yield f"forwarded by {rule.proxy}: no rule is needed"
        case _:
            assert_never(rule.leg)
