"""Rules to ask for, as a card shows them and as they are copied; made once for each sweep."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from egressd.firewall.ask import Asks
from egressd.firewall.languages import Language
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.verdict import Sweep

_ACTIONS: Mapping[Action, str] = {
    Action.ALLOW: "allow",
    Action.EXEMPT: "no TLS inspection",
    Action.RESOLVE: "resolve",
}
_LEGS: Mapping[Leg, str] = {
    Leg.DIRECT: "",
    Leg.TO_PROXY: "to the proxy",
    Leg.AT_PROXY: "in the proxy's policy",
    Leg.FROM_PROXY: "from the proxy on",
    Leg.BY_GATEWAY: "forwarded by the gateway",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One rule on a card."""

    action: str
    service: str
    """Transport and port; empty: it is about a name."""
    destination: str
    sources: tuple[str, ...]
    need: str
    team: str
    leg: str
    note: str
    """Service tags, and the hosts of a wildcard that failed."""

    @property
    def line(self) -> str:
        """The rule as one line of text."""
        origin = ", ".join(self.sources) or "this host"
        way = ("for", origin, "the name") if not self.service else ("from", origin, "to")
        words = (self.action, self.service, *way, self.destination, f"({self.need})", self.leg)
        return " ".join(word for word in words if word)


class SweepAsks:
    """The rules of the last sweep."""

    def __init__(self) -> None:
        self._sweep: Sweep | None = None
        self._asks: Asks | None = None
        self._rules: tuple[FirewallRule, ...] = ()

    def rules(self, sweep: Sweep) -> tuple[FirewallRule, ...]:
        """Return the rules that the failures of a sweep ask for."""
        self._read(sweep)
        return self._rules

    def render(self, sweep: Sweep, language: Language) -> str:
        """Write all rules that a sweep asks for in a language, as `egressd rules` does."""
        return language.render(self._read(sweep).document())

    def of_targets(self, sweep: Sweep, targets: Collection[str]) -> tuple[FirewallRule, ...]:
        """Return the rules for want of which some targets fail."""
        wanted = frozenset(targets)
        return tuple(one for one in self.rules(sweep) if not wanted.isdisjoint(one.targets))

    def of_finding(self, sweep: Sweep, finding: str) -> tuple[FirewallRule, ...] | None:
        """Return the rules of a finding; None: the sweep has no such finding."""
        asks = self._read(sweep)
        found = next((one for one in sweep.findings if one.id == finding), None)
        return asks.of_finding(found) if found is not None else None

    def _read(self, sweep: Sweep) -> Asks:
        if self._asks is None or self._sweep is not sweep:
            self._asks = Asks(sweep)
            self._rules, self._sweep = self._asks.rules(), sweep
        return self._asks


def rule_rows(rules: Iterable[FirewallRule]) -> tuple[RuleRow, ...]:
    """Return rules as a card shows them."""
    return tuple(
        RuleRow(
            action=_ACTIONS[one.action],
            service=_service(one),
            destination=one.destination,
            sources=tuple(one.sources),
            need=one.need,
            team=one.team,
            leg=_LEGS[one.leg],
            note=_note(one),
        )
        for one in rules
    )


def _service(rule: FirewallRule) -> str:
    """Return transport and port; empty for a name, which is looked up whatever it is used for."""
    if rule.action is Action.RESOLVE:
        return ""
    return "/".join(part for part in (rule.transport, rule.ports) if part)


def _note(rule: FirewallRule) -> str:
    parts = (
        "as public DNS does" if rule.action is Action.RESOLVE else "",
        f"service tag {', '.join(rule.service_tags)}" if rule.service_tags else "",
        f"seen failing: {', '.join(rule.hosts)}" if rule.hosts else "",
        f"when {'; '.join(rule.conditions)}" if rule.conditions else "",
    )
    return "; ".join(part for part in parts if part)
