"""Looking again and again: one sweep after the other over what fails, and now and then over everything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

from egressd import clock
from egressd.attribution import baseline_of, judge
from egressd.cli.watch import words
from egressd.cli.watch.screen import Screen
from egressd.cli.watch.turn import LEAST_GAP, Turn, is_over, next_turn, pause
from egressd.cli.watch.view import View
from egressd.drive import ask, prepare, random_label
from egressd.errors import UsageError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.plan import ControlPlan, Plan
from egressd.model.recording import Baseline, ProbeRecord, Recording
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep
from egressd.probe.context import ProbeContext, expand_resolvers
from egressd.probe.sweep import sweep
from egressd.report.summary import headline
from egressd.report.sweep_diff import Change, ChangeKind, compare_baselines
from egressd.report.table import render_findings

SETTLE = 0.3
"""Seconds to let what changes together change together."""
AT_ONCE = (ChangeKind.NEW_FAILURE, ChangeKind.MENDED, ChangeKind.BETTER)
"""What is told while a look is under way; other changes wait for its controls."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """One watch, from its first look to its last."""

    settings: Settings
    catalog: Catalog
    every: float
    """Seconds from one look at what fails to the next."""
    screen: Screen
    stop: asyncio.Event
    limit: float | None = None
    """Seconds after which it ends, whatever the state; None: it waits."""
    baseline: Baseline | None = None
    """What every look is measured against."""
    view: View = field(init=False)
    context: ProbeContext = field(init=False)
    found: tuple[Discovery, ...] = ()
    label: str = field(default_factory=random_label)
    told: Baseline | None = None
    """What the reader knows."""
    latest: Sweep | None = None
    timed_out: bool = False
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Sweep:
        """Look until every required target can be reached, or until stopped; return the last state.

        Raises:
            ConfigError: a trust store can't be read.
            UsageError: there is nothing to plan, or to wait for.
        """
        if self.limit is not None:
            asyncio.get_running_loop().call_later(self.limit, self._time_out)
        self.screen.stand("planning")
        await self._plan()
        if not self.context.plan.targets:
            raise UsageError("cannot watch: the plan has no target; `egressd plan` says why")
        self.view = View(plan=self.context.plan, baseline=self.baseline)
        began = everything = clock.monotonic()
        turn = next_turn(self.context.plan, None, since=0.0, every=self.every)
        latest = await self._look(turn)
        while not (self._is_stopped() or self._is_settled(latest, turn)):
            await self._wait(latest, began)
            if self._is_stopped():
                break
            began = clock.monotonic()
            turn = next_turn(self.context.plan, latest, since=began - everything, every=self.every)
            if turn.everything:
                everything = began
                await self._plan_again()
            latest = await self._look(turn)
        return await self._conclude(latest)

    def _is_settled(self, latest: Sweep, turn: Turn) -> bool:
        """Say whether all is well, was looked at, and did not move meanwhile: half a change is none."""
        return is_over(latest) and turn.last and not self.view.moved

    async def _wait(self, latest: Sweep, began: float) -> None:
        """Wait for the next look; where all seems well it comes soon, and is one at everything."""
        if not is_over(latest):
            await self._pause(latest, pause(began=began, now=clock.monotonic(), every=self.every))
            return
        text = "every required target can be reached; looking at everything once more"
        self.screen.print(words.say(text, at=_now(), width=self.screen.width))
        await self._pause(latest, LEAST_GAP)

    def _time_out(self) -> None:
        self.timed_out = True
        self.stop.set()

    def _is_stopped(self) -> bool:
        return self.stop.is_set() or self.screen.closed

    async def _plan(self) -> None:
        self.context, self.found = await prepare(
            self.settings, self.catalog, label=self.label, stop=self.stop
        )

    async def _plan_again(self) -> None:
        """Ask again for what discovery could not give: a rule may let it through by now."""
        if any(not one.hosts for one in self.found):
            control_cache = self.context.control_cache
            await self._plan()
            self.context.control_cache = control_cache

    async def _look(self, turn: Turn) -> Sweep:
        """Sweep over a part of the plan, tell what is seen while it is seen, and judge the whole."""
        plan = self.context.plan
        self.view.begin(plan)
        controls = plan.controls if turn.everything else ()
        recording = await self._sweep(replace(plan, probes=turn.probes, controls=controls))
        self.view.end(recording, everything=turn.everything)
        self.latest = await asyncio.to_thread(judge, self.view.whole(recording))
        self._tell(self.latest, final=True)
        return self.latest

    async def _sweep(self, part: Plan) -> Recording:
        whole_sweep = {""} if part.controls else set()
        done = 0

        def on_done(record: ProbeRecord) -> None:
            nonlocal done
            done += 1
            self._stand(f"looking at {len(part.probes)}, {done} done")
            if self.view.take(record):
                self._noted.set()

        def questions(seen: Recording) -> tuple[ControlPlan, ...]:
            self._stand("asking what is to blame")
            asked = ask(self.settings, self.view.whole(seen))
            return tuple(one for one in asked if one.subject in self.view.turned | whole_sweep)

        context = replace(
            self.context, resolvers=expand_resolvers(self.settings.resolvers), _answers={}, _locks={}
        )
        async with asyncio.TaskGroup() as group:
            teller = group.create_task(self._tell_at_once())
            recording = await sweep(part, context, stop=self.stop, on_done=on_done, plan_followups=questions)
            teller.cancel()
        return recording

    async def _tell_at_once(self) -> None:
        """Tell what turns for the better or the worse while a look is under way."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(SETTLE)
            self._noted.clear()
            if self.latest is not None:
                seen = replace(self.latest.recording, controls=())
                self._tell(await asyncio.to_thread(judge, self.view.whole(seen)), final=False)

    def _tell(self, seen: Sweep, *, final: bool) -> None:
        now = baseline_of(seen)
        if self.told is None:
            self._introduce(seen)
            self.told = now
            return
        changes = compare_baselines(self.told, now).changes
        if not final:
            changes = tuple(one for one in changes if one.kind in AT_ONCE)
        self.told = now if final else _updated(self.told, now, changes)
        screen = self.screen
        screen.print(words.say_changes(changes, seen, at=_now(), width=screen.width, colour=screen.colour))

    def _introduce(self, seen: Sweep) -> None:
        """Tell what the first look found: what is not well, by cause."""
        screen = self.screen
        screen.print(words.say(headline(seen), at=_now(), width=screen.width))
        causes = render_findings(seen, width=screen.width, colour=screen.colour)
        screen.print(["", *causes.rstrip().splitlines(), ""] if causes else [])
        if not is_over(seen) and not self._is_stopped():
            screen.print(words.say(words.plan_of(self.every), at=_now(), width=screen.width))

    def _stand(self, doing: str) -> None:
        self.screen.stand(words.say_tally(self.latest, doing) if self.latest is not None else doing)

    async def _pause(self, latest: Sweep, seconds: float) -> None:
        at = words.clock_of(clock.timestamp(clock.now() + timedelta(seconds=seconds)))
        self.screen.stand(words.say_tally(latest, f"next look at {at}"))
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return

    async def _conclude(self, latest: Sweep) -> Sweep:
        """Return the last state; one that somebody stopped says so."""
        self.screen.stand("")
        interrupted = self.stop.is_set() and not self.timed_out
        whole = replace(latest.recording, interrupted=interrupted)
        return await asyncio.to_thread(judge, whole)


def _now() -> str:
    return words.clock_of(clock.timestamp())


def _updated(told: Baseline, now: Baseline, changes: tuple[Change, ...]) -> Baseline:
    """Return what the reader knows after some changes were told."""
    places = {(one.target, one.source) for one in changes}
    fresh = {(one.target, one.source): one for one in now.marks}
    marks = [fresh[key] if (key := (one.target, one.source)) in places else one for one in told.marks]
    return replace(told, marks=tuple(marks))
