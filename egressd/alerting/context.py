"""A snapshot, indexed for alerting rules; each index is built on first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from egressd.errors import OnBug, raise_bug
from egressd.model.alert import AlertName
from egressd.model.endpoint import Need
from egressd.model.notification import Labels
from egressd.model.plan import Target
from egressd.model.snapshot import Snapshot
from egressd.model.standing import FindingStanding, Lifecycle, Standing
from egressd.model.verdict import Choice, Outcome, Pair, Sweep, choices_of, spared
from egressd.standing.flapping import UP
from egressd.standing.results import TargetResult, results_of


def cause_id(finding: FindingStanding) -> str:
    """Return the id of the alert about a finding."""
    return f"{AlertName.CAUSE}/{finding.id}"


class AlertContext(Struct, frozen=True, kw_only=True, dict=True):
    """What the conditions of one evaluation are computed from."""

    snapshot: Snapshot
    sweep: Sweep
    """The snapshot's, which must have one."""
    limits: Mapping[str, float]
    """Seconds a profile may be offline, by profile."""
    on_bug: OnBug = raise_bug
    """Called with what keeps a result from being measured."""

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """The targets of the plan, by id."""
        return {one.id: one for one in self.sweep.recording.plan.targets}

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """The standings of these targets."""
        return tuple(one for one in self.snapshot.standings.targets if one.target in self.targets)

    @cached_property
    def failing(self) -> frozenset[Pair]:
        """Targets and sources confirmed unreachable, whatever the reason."""
        return frozenset(one.key for one in self.standings if not one.up and not one.unknown)

    @cached_property
    def _beliefs(self) -> Mapping[Pair, Outcome]:
        return {one.key: one.belief.outcome for one in self.standings}

    @cached_property
    def _choices(self) -> tuple[Choice, ...]:
        plan = self.sweep.recording.plan
        return choices_of(plan.targets, plan.unsampled, self._beliefs)

    @cached_property
    def spared(self) -> frozenset[Pair]:
        """Targets and sources that are believed to fail and need not work: an alternative does."""
        return frozenset(spared(self._choices, self._beliefs))

    @cached_property
    def undecided(self) -> frozenset[Pair]:
        """Targets and sources that fail, and whose alternatives may work: it is not known yet."""
        return frozenset(
            (target, one.source)
            for one in self._choices
            if one.outcome is Outcome.UNKNOWN
            for target in one.members
        )

    @cached_property
    def down(self) -> frozenset[str]:
        """Targets blocked or down from at least one source, where no alternative works."""
        bad = (Outcome.BLOCKED, Outcome.DOWN)
        failing = (one for one in self.standings if one.belief.outcome in bad)
        return frozenset(one.target for one in failing if one.key not in self.spared)

    @cached_property
    def causes(self) -> tuple[FindingStanding, ...]:
        """The confirmed findings."""
        return tuple(one for one in self.snapshot.standings.findings if one.opened)

    @cached_property
    def recovering(self) -> frozenset[Pair]:
        """Targets and sources whose last result is better than what is confirmed."""
        return frozenset(one.key for one in self.standings if one.recovering)

    @cached_property
    def steady(self) -> frozenset[Pair]:
        """Targets and sources that flap, and answered the last time."""
        flapping = (one for one in self.standings if one.state is Lifecycle.FLAPPING)
        return frozenset(one.key for one in flapping if one.results.endswith(UP))

    @cached_property
    def suspected(self) -> frozenset[str]:
        """Targets of findings that are not confirmed yet."""
        found = self.snapshot.standings.findings
        return frozenset(name for one in found if not one.opened for name in one.targets)

    @cached_property
    def results(self) -> Mapping[Pair, TargetResult]:
        """The latest result of each target and source."""
        return {(one.target, one.source): one for one in results_of(self.sweep, on_bug=self.on_bug)}

    def is_required(self, target: str) -> bool:
        """Whether a target of the plan is required."""
        return self.targets[target].need is Need.REQUIRED

    def profiles(self, *targets: str) -> tuple[str, ...]:
        """Return the profiles that need any of these targets."""
        names = {name for one in targets if one in self.targets for name in self.targets[one].profiles}
        return tuple(sorted(names - {""}))

    def labels(self, **own: str | None) -> Labels:
        """Return the labels of an alert: the configured ones and its own, without empty ones."""
        rules = self.snapshot.settings.alerting
        found = {**dict(rules.labels), "job": rules.job, "instance": self.instance, **own}
        return tuple(sorted((name, value) for name, value in found.items() if value))

    @cached_property
    def instance(self) -> str:
        """The label `instance`, as Prometheus has it."""
        return self.snapshot.settings.alerting.instance
