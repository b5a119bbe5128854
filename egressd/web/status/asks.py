"""Rules to ask for, as a card shows them and as they are copied; made once for each sweep."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from egressd.firewall.ask import Asks
from egressd.firewall.languages import Language
from egressd.firewall.rule import FirewallRule
from egressd.model.verdict import Sweep
from egressd.report.ticket.rule_row import RuleRow


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


def copied_text(rows: Iterable[RuleRow]) -> str:
    """Return rules as lines of text, to paste them into a request."""
    return "".join(f"{_line(one)}\n" for one in rows)


def _line(row: RuleRow) -> str:
    tags = f"service tags {row.service_tags}" if row.service_tags else ""
    more = "; ".join(part for part in (row.need, tags, row.note) if part)
    return f"{row.action} {row.port} from {row.sources} to {row.destination} ({more})"
