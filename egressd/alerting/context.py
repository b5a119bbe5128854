"""What conditions rest on: the snapshot, laid out by what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from egressd.model.notification import Labels
from egressd.model.plan import Target
from egressd.model.snapshot import Snapshot
from egressd.model.standing import FindingStanding, Standing
from egressd.model.verdict import Outcome, Sweep
from egressd.standing.results import TargetResult, results_of

Pair = tuple[str, str]
"""A target's id and a source's name."""


@dataclass(frozen=True, kw_only=True)
class AlertContext:
    """One moment. `sweep` is the snapshot's, which must have one."""

    snapshot: Snapshot
    sweep: Sweep
    limits: Mapping[str, float]
    """Seconds a profile may be offline, by profile."""

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """The targets that are probed, by id."""
        return {one.id: one for one in self.sweep.recording.plan.targets}

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """What is believed of them."""
        return tuple(one for one in self.snapshot.standings.targets if one.target in self.targets)

    @cached_property
    def failing(self) -> frozenset[Pair]:
        """What is believed not to be reachable, for whatever reason."""
        return frozenset(one.key for one in self.standings if not one.up and not one.unknown)

    @cached_property
    def down(self) -> frozenset[str]:
        """Targets that are blocked or down from somewhere."""
        bad = (Outcome.BLOCKED, Outcome.DOWN)
        return frozenset(one.target for one in self.standings if one.belief.outcome in bad)

    @cached_property
    def causes(self) -> tuple[FindingStanding, ...]:
        """The causes that are confirmed."""
        return tuple(one for one in self.snapshot.standings.findings if one.opened)

    @cached_property
    def suspected(self) -> frozenset[str]:
        """Targets that a cause may explain which is not confirmed yet."""
        found = self.snapshot.standings.findings
        return frozenset(name for one in found if not one.opened for name in one.targets)

    @cached_property
    def looks(self) -> Mapping[Pair, TargetResult]:
        """What the last looks saw, in numbers."""
        return {(one.target, one.source): one for one in results_of(self.sweep)}

    def profiles(self, *targets: str) -> tuple[str, ...]:
        """Return the products that need any of these targets."""
        names = {name for one in targets if one in self.targets for name in self.targets[one].profiles}
        return tuple(sorted(names - {""}))

    def labels(self, **own: str | None) -> Labels:
        """Return the labels of an alert: this egressd's, and its own; empty ones are left out."""
        rules = self.snapshot.settings.alerting
        found = {**dict(rules.labels), "job": rules.job, "instance": self.instance, **own}
        return tuple(sorted((name, value) for name, value in found.items() if value))

    @cached_property
    def instance(self) -> str:
        """What Prometheus calls this egressd."""
        return self.snapshot.settings.alerting.instance
