"""Passes over what fails, and now and then over everything, until every required target is ok."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

from egressd import clock
from egressd.attribution import baseline_of
from egressd.cli.watch import messages
from egressd.cli.watch.screen import Screen
from egressd.engine.latest import RecordChange
from egressd.engine.schedule import MIN_GAP, Turn, gap_before, is_over, next_turn
from egressd.engine.session import Session
from egressd.errors import UsageError
from egressd.model.recording import Baseline, ProbeRecord, Recording
from egressd.model.verdict import Sweep
from egressd.report.diff.sweep_diff import Change, ChangeKind, compare_baselines
from egressd.report.summary import headline
from egressd.report.table import render_findings

SETTLE = 0.3
"""Seconds to let what changes together change together."""
AT_ONCE = (
    ChangeKind.NEW_FAILURE,
    ChangeKind.FIRST_FAILURE,
    ChangeKind.RECOVERED,
    ChangeKind.FIRST_RESULT,
    ChangeKind.BETTER,
)
"""What is reported while a pass is under way; other changes wait for its controls."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """One watch, from its first pass to its last."""

    session: Session
    """One that reuses results."""
    every: float
    """Seconds from one pass over what fails to the next."""
    screen: Screen = field(default_factory=Screen)
    limit: float | None = None
    """Seconds after which it ends, whatever the state; None: no limit."""
    reported: Baseline | None = None
    """The state that the user has seen."""
    latest: Sweep | None = None
    timed_out: bool = False
    unsteady: bool = False
    """Whether a known probe changed its signature during the last pass."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Sweep:
        """Probe until every required target can be reached, or until stopped; return the last state.

        Raises:
            UsageError: there is nothing to wait for.
        """
        if self.limit is not None:
            asyncio.get_running_loop().call_later(self.limit, self._time_out)
        self.screen.show_status("planning")
        await self.session.discover()
        if not self.session.plan.targets:
            raise UsageError("cannot watch: the plan has no target; `egressd plan` says why")
        began = everything = clock.monotonic()
        turn = next_turn(self.session.plan, None, since=0.0, every=self.every)
        latest = await self._probe(turn)
        while not (self._is_stopped() or self._is_settled(latest, turn)):
            await self._wait(latest, began)
            if self._is_stopped():
                break
            began = clock.monotonic()
            turn = next_turn(self.session.plan, latest, since=began - everything, every=self.every)
            if turn.everything:
                everything = began
                await self._discover_again()
            latest = await self._probe(turn)
        return await self._conclude(latest)

    def _is_settled(self, latest: Sweep, turn: Turn) -> bool:
        """Say whether all is ok, was probed, and did not change meanwhile: half a change is none."""
        return is_over(latest) and turn.last and not self.unsteady

    async def _wait(self, latest: Sweep, began: float) -> None:
        """Wait for the next pass; where all seems ok it comes soon, and is one over everything."""
        if not is_over(latest):
            await self._pause(latest, gap_before(began=began, now=clock.monotonic(), every=self.every))
            return
        text = "every required target can be reached; probing everything once more"
        self.screen.print(messages.timed_lines(text, at=_now(), width=self.screen.width))
        await self._pause(latest, MIN_GAP)

    def _time_out(self) -> None:
        self.timed_out = True
        self.session.stop.set()

    def _is_stopped(self) -> bool:
        return self.session.stop.is_set() or self.screen.closed

    async def _discover_again(self) -> None:
        """Repeat the discovery calls that gave nothing: a new rule may let them through by now."""
        if any(not one.hosts for one in self.session.discoveries):
            await self.session.refresh()

    async def _probe(self, turn: Turn) -> Sweep:
        """Probe a part of the plan, report what is seen while it is seen, and judge everything known."""
        self.unsteady = False
        async with asyncio.TaskGroup() as group:
            reporter = group.create_task(self._report_at_once())
            recording = await self._pass(turn)
            reporter.cancel()
        self.latest = await self.session.judge(recording)
        self._report(self.latest, final=True)
        return self.latest

    async def _pass(self, turn: Turn) -> Recording:
        total = len(turn.probes)
        done = 0

        def on_done(_record: ProbeRecord, change: RecordChange) -> None:
            nonlocal done
            done += 1
            self._show_status(f"probing {total}, {done} done" if done < total else "running controls")
            if change is not RecordChange.UNCHANGED:
                self.unsteady |= change is RecordChange.CHANGED
                self._changed.set()

        self._show_status(f"probing {total}, 0 done")
        return await self.session.probe(turn.probes, base_controls=turn.everything, on_done=on_done)

    async def _report_at_once(self) -> None:
        """Report what turns better or worse while a pass is under way."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE)
            self._changed.clear()
            if self.latest is not None:
                seen = replace(self.latest.recording, controls=())
                self._report(await self.session.judge(seen), final=False)

    def _report(self, seen: Sweep, *, final: bool) -> None:
        now = baseline_of(seen)
        if self.reported is None:
            self._introduce(seen)
            self.reported = now
            return
        changes = compare_baselines(self.reported, now).changes
        if not final:
            changes = tuple(one for one in changes if one.kind in AT_ONCE)
        self.reported = now if final else _updated(self.reported, now, changes)
        screen = self.screen
        lines = messages.change_lines(changes, seen, at=_now(), width=screen.width, colour=screen.colour)
        screen.print(lines)

    def _introduce(self, seen: Sweep) -> None:
        """Report what the first pass found: what is not ok, by cause."""
        screen = self.screen
        screen.print(messages.timed_lines(headline(seen), at=_now(), width=screen.width))
        causes = render_findings(seen, width=screen.width, colour=screen.colour)
        screen.print(["", *causes.rstrip().splitlines(), ""] if causes else [])
        if not is_over(seen) and not self._is_stopped():
            text = messages.interval_note(self.every)
            screen.print(messages.timed_lines(text, at=_now(), width=screen.width))

    def _show_status(self, doing: str) -> None:
        latest = self.latest
        self.screen.show_status(messages.progress_text(latest, doing) if latest is not None else doing)

    async def _pause(self, latest: Sweep, seconds: float) -> None:
        at = messages.time_of_day(clock.timestamp(clock.now() + timedelta(seconds=seconds)))
        self.screen.show_status(messages.progress_text(latest, f"next pass at {at}"))
        try:
            async with asyncio.timeout(seconds):
                await self.session.stop.wait()
        except TimeoutError:
            return

    async def _conclude(self, latest: Sweep) -> Sweep:
        """Return the last state, marked as interrupted if a signal ended the watch."""
        self.screen.show_status("")
        interrupted = self.session.stop.is_set() and not self.timed_out
        return await self.session.judge(replace(latest.recording, interrupted=interrupted))


def _now() -> str:
    return messages.time_of_day(clock.timestamp())


def _updated(reported: Baseline, now: Baseline, changes: tuple[Change, ...]) -> Baseline:
    """Return the state that the user has seen after some changes were reported."""
    places = {(one.target, one.source) for one in changes}
    fresh = {(one.target, one.source): one for one in now.marks}
    marks = [fresh[key] if (key := (one.target, one.source)) in places else one for one in reported.marks]
    return replace(reported, marks=tuple(marks))
