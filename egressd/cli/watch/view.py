"""The newest record of every probe, and the controls that still speak for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from egressd.daemon.sweeping.picture import story
from egressd.model.plan import Plan
from egressd.model.recording import Baseline, Control, ProbeRecord, Recording

NOT_YET = "not probed yet"


@dataclass(slots=True, kw_only=True)
class View:
    """What is known between looks.

    A probe that tells the same story as before keeps the controls it has: asking them again would say the
    same and hold up the next look.
    """

    plan: Plan
    baseline: Baseline | None = None
    base: Recording | None = None
    """The last look at everything: where from, and what the clock says."""
    records: dict[str, ProbeRecord] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    turned: set[str] = field(default_factory=set)
    """Probes that tell another story in this look than before, or are new."""
    moved: bool = False
    """Whether one of them was known before."""

    def begin(self, plan: Plan) -> None:
        """Begin a look, with a plan that may know other hosts by now."""
        self.plan = plan
        self.turned.clear()
        self.moved = False
        known = {one.id for one in plan.probes}
        self.records = {key: one for key, one in self.records.items() if key in known}
        self.controls = {key: one for key, one in self.controls.items() if one.subject in known | {""}}

    def take(self, record: ProbeRecord) -> bool:
        """Take a record in; return whether it tells another story than before."""
        before = self.records.get(record.probe)
        self.records[record.probe] = record
        changed = before is None or story(before) != story(record)
        if changed:
            self.turned.add(record.probe)
            self.moved |= before is not None
        return changed

    def whole(self, of: Recording) -> Recording:
        """Return everything known as one recording, with what a look at some of it adds."""
        base = self.base or of
        controls = self._with(of.controls)
        return replace(
            base,
            id=of.id,
            started=of.started,
            finished=of.finished,
            interrupted=of.interrupted,
            plan=self.plan,
            records=tuple(
                self.records.get(one.id) or ProbeRecord(probe=one.id, trails=(), skipped=NOT_YET)
                for one in self.plan.probes
            ),
            controls=tuple(controls[key] for key in sorted(controls)),
            baseline=self.baseline,
        )

    def end(self, of: Recording, *, everything: bool) -> None:
        """Keep what a look has shown; what it had no time for stays as it was."""
        for record in of.records:
            if record.skipped and record.probe not in self.records:
                self.records[record.probe] = record
        self.controls = self._with(of.controls)
        if everything or self.base is None:
            self.base = of

    def _with(self, fresh: Iterable[Control]) -> dict[str, Control]:
        """Return the controls: newer ones win, and those of another story are gone."""
        kept = {key: one for key, one in self.controls.items() if one.subject not in self.turned}
        return kept | {one.id: one for one in fresh}
