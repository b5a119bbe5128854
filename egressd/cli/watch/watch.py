"""Passes over what fails, and now and then over everything, until every required target is ok."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.attribution import baseline_of
from egressd.cli.sweep.stream import LineStream
from egressd.cli.watch import messages
from egressd.cli.watch.background import in_background
from egressd.cli.watch.journal import Journal
from egressd.cli.watch.keyboard import Keyboard
from egressd.cli.watch.lab import LabConfiguration
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
TICK = 1.0
"""Seconds between two updates of the status line."""
AT_ONCE = (
    ChangeKind.NEW_FAILURE,
    ChangeKind.FIRST_FAILURE,
    ChangeKind.RECOVERED,
    ChangeKind.FIRST_RESULT,
    ChangeKind.BETTER,
)
"""What is reported while a pass is under way; other changes wait for its controls."""


class Watch(Struct, kw_only=True):
    """One watch, from its first pass to its last."""

    session: Session
    """One that reuses results."""
    every: float
    """Seconds from one pass over what fails to the next."""
    simulated: bool = False
    """Whether it watches a lab."""
    lab_file: LabConfiguration | None = None
    """The file by which it follows the lab's switches; None: no lab, or it has none."""
    screen: Screen = field(default_factory=Screen)
    stream: LineStream | None = None
    """Where lines for scripts go; None: nowhere."""
    limit: float | None = None
    """Seconds after which it ends, whatever the state; None: no limit."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends the watch."""
    keyboard: Keyboard | None = None
    """None: there is no terminal to ask for a pass."""
    journal: Journal = field(default_factory=Journal)
    reported: Baseline | None = None
    """The state that the user has seen."""
    latest: Sweep | None = None
    timed_out: bool = False
    unsteady: bool = False
    """Whether a known probe changed its signature during the last pass."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends the wait for the next pass."""
    _requested: bool = False
    """Whether a pass over everything was asked for that has not begun."""
    _cut: bool = False
    """Whether the pass under way was ended early for it."""
    _probing: bool = False
    _began: float = 0.0
    _ended: float = 0.0
    """When the last pass did."""
    _doing: str = "planning"

    async def run(self) -> Sweep:
        """Probe until every required target can be reached, or until stopped; return the last state.

        Raises:
            UsageError: there is nothing to wait for.
        """
        if self.limit is not None:
            asyncio.get_running_loop().call_later(self.limit, self._time_out)
        self._show_status("planning")
        async with in_background(self._end_when_stopped(), self._tick()):
            return await self._run()

    def request(self) -> None:
        """Probe everything as soon as can be.

        A pass that is under way is ended for it, once it had the time for what answers at once; not the first
        one, without which nothing is known.
        """
        self._requested = True
        self._wake.set()
        if self._probing and self.reported is not None and clock.monotonic() - self._began >= MIN_GAP:
            self._cut = True
            self.session.stop.set()
        self._show_status("probing everything")

    async def _run(self) -> Sweep:
        await self.session.discover()
        if not self.session.plan.targets:
            raise UsageError("cannot watch: the plan has no target; `egressd plan` says why")
        if self.stream is not None:
            from egressd.report.stream import start_line

            self.stream.write(start_line(self.session.plan, at=clock.timestamp()))
        everything = clock.monotonic()
        turn = next_turn(self.session.plan, None, since=0.0, every=self.every)
        latest = await self._probe(turn)
        while not (self._is_stopped() or self._is_settled(latest, turn)):
            await self._wait(latest)
            if self._is_stopped():
                break
            since = math.inf if self._requested else clock.monotonic() - everything
            turn = next_turn(
                self.session.plan, latest, since=since, every=self.every, simulated=self.simulated
            )
            if turn.everything:
                everything = clock.monotonic()
                await self._discover_again()
                turn = await self._follow_lab(turn)
            latest = await self._probe(turn)
        return await self._conclude(latest)

    def _is_settled(self, latest: Sweep, turn: Turn) -> bool:
        """Say whether all is ok, was probed, and did not change meanwhile: half a change is none."""
        return is_over(latest) and turn.last and not (self.unsteady or self._cut)

    async def _wait(self, latest: Sweep) -> None:
        """Wait for the next pass; where all seems ok it comes soon, and is one over everything."""
        if not is_over(latest):
            await self._pause(gap_before(began=self._began, now=clock.monotonic(), every=self.every))
            return
        text = "every required target can be reached; probing everything once more"
        self.screen.print(messages.timed_lines(text, at=_now(), width=self.screen.width))
        await self._pause(MIN_GAP)

    def _time_out(self) -> None:
        self.timed_out = True
        self.stop.set()

    def _is_stopped(self) -> bool:
        return self.stop.is_set() or self.screen.closed

    async def _end_when_stopped(self) -> None:
        """End the pass under way, or the wait for the next one, when the watch is to end."""
        await self.stop.wait()
        self.session.stop.set()
        self._wake.set()

    async def _tick(self) -> None:
        """Count the time in the status line, and follow the terminal to the foreground and back."""
        while True:
            await asyncio.sleep(TICK)
            if self.keyboard is not None:
                self.keyboard.follow()
            if not self.stop.is_set():
                self._show_status(self._doing)

    async def _discover_again(self) -> None:
        """Repeat the discovery calls that gave nothing: a new rule may let them through by now."""
        if any(not one.hosts for one in self.session.discoveries):
            await self.session.refresh()

    async def _follow_lab(self, turn: Turn) -> Turn:
        """Take in where a lab's hosts are by now; return the turn with the probes that go there."""
        moved = self.lab_file.follow(self.session.settings) if self.lab_file is not None else None
        if moved is None:
            return turn
        await self.session.reconfigure(moved)
        fresh = {one.id: one for one in self.session.plan.probes}
        return replace(turn, probes=tuple(fresh[one.id] for one in turn.probes if one.id in fresh))

    async def _probe(self, turn: Turn) -> Sweep:
        """Probe a part of the plan, report what is seen while it is seen, and judge everything known."""
        requested, self._requested = self._requested, False
        self.unsteady = self._cut = False
        if not self.stop.is_set():
            self._wake.clear()
            self.session.stop.clear()
        self._began, self._probing = clock.monotonic(), True
        async with in_background(self._report_at_once()):
            recording = await self._pass(turn)
        self._ended, self._probing = clock.monotonic(), False
        if self._cut and not self.stop.is_set():
            recording = replace(recording, interrupted=False)
        self.latest = await self.session.judge(recording)
        self.journal.passes += 1
        self._report(self.latest, final=not self._cut)
        if self.stream is not None:
            from egressd.cli.watch.lines import pass_line

            self.stream.write(pass_line(self.latest, turn, self.journal, requested=requested))
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
            self.reported = self.journal.first = now
            return
        changes = compare_baselines(self.reported, now).changes
        if not final:
            changes = tuple(one for one in changes if one.kind in AT_ONCE)
        self.reported = now if final else _updated(self.reported, now, changes)
        self.journal.note(changes, at=clock.timestamp())
        screen = self.screen
        lines = messages.change_lines(changes, seen, at=_now(), width=screen.width, colour=screen.colour)
        screen.print(lines)
        if self.stream is not None:
            from egressd.cli.watch.lines import transition_lines

            self.stream.write(*transition_lines(changes, seen, self.journal))

    def _introduce(self, seen: Sweep) -> None:
        """Report what the first pass found: what is not ok, by cause."""
        screen = self.screen
        screen.print(messages.timed_lines(headline(seen), at=_now(), width=screen.width))
        causes = render_findings(seen, width=screen.width, colour=screen.colour)
        screen.print(["", *causes.rstrip().splitlines(), ""] if causes else [])
        if self.stream is not None:
            from egressd.cli.watch.lines import first_lines

            self.stream.write(*first_lines(seen))
        if not is_over(seen) and not self._is_stopped():
            text = messages.interval_note(
                self.every, everything=self.simulated, keys=self.keyboard is not None
            )
            screen.print(messages.timed_lines(text, at=_now(), width=screen.width))

    def _show_status(self, doing: str) -> None:
        self._doing = doing
        text = messages.progress_text(self.latest, doing) if self.latest is not None else doing
        self.screen.show_status(f"{messages.elapsed_text(self.journal.elapsed)}  {text}")

    async def _pause(self, seconds: float) -> None:
        """Wait for the next pass, a request or the end; passes are at least `MIN_GAP` apart."""
        at = messages.time_of_day(clock.timestamp(clock.now() + timedelta(seconds=seconds)))
        self._show_status("probing everything" if self._requested else f"next pass at {at}")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._ended + MIN_GAP - clock.monotonic())):
                await self.stop.wait()

    async def _conclude(self, latest: Sweep) -> Sweep:
        """Return the last state, marked as interrupted if a signal ended the watch."""
        self.screen.show_status("")
        interrupted = self.stop.is_set() and not self.timed_out
        return await self.session.judge(replace(latest.recording, interrupted=interrupted))


def _now() -> str:
    return messages.time_of_day(clock.timestamp())


def _updated(reported: Baseline, now: Baseline, changes: tuple[Change, ...]) -> Baseline:
    """Return the state that the user has seen after some changes were reported."""
    places = {(one.target, one.source) for one in changes}
    fresh = {(one.target, one.source): one for one in now.marks}
    marks = [fresh[key] if (key := (one.target, one.source)) in places else one for one in reported.marks]
    return replace(reported, marks=tuple(marks))
