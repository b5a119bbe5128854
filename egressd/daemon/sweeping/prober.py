"""What the scheduler drives: a plan in force, and the calls that look at it and judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from egressd import clock
from egressd.attribution import judge
from egressd.daemon.sweeping.rhythm import Rhythm, label_of
from egressd.drive import ask, open_context, plan_sweep, refuse_absent_sources
from egressd.errors import EgressdError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.plan import ControlPlan, Plan, Probe
from egressd.model.recording import ProbeRecord, Recording
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep
from egressd.planning import calls_needed
from egressd.probe.context import ProbeContext, expand_resolvers
from egressd.probe.discovery import discover
from egressd.probe.sweep import sweep

HOUR = 3600

log = structlog.get_logger(__name__)


class Prober(Protocol):
    """What a scheduler needs; tests have one without a network."""

    settings: Settings
    plan: Plan
    rhythm: Rhythm
    discoveries: tuple[Discovery, ...]

    async def refresh(self) -> None:
        """Make the discovery calls and plan again, with this hour's random label."""

    async def look(
        self,
        probes: tuple[Probe, ...],
        *,
        starts: Mapping[str, float],
        on_done: Callable[[ProbeRecord], None],
        whole: Callable[[Recording], Recording],
    ) -> Recording:
        """Probe these; `whole` puts what was seen into the picture of everything."""
        ...

    async def judge(self, recording: Recording) -> Sweep:
        """Say what a recording means."""
        ...


@dataclass(slots=True, kw_only=True)
class NetworkProber:
    """The real one. Trust stores are loaded once an hour, and whenever the configuration is read."""

    settings: Settings
    catalog: Catalog
    rhythm: Rhythm
    plan: Plan
    context: ProbeContext
    discoveries: tuple[Discovery, ...] = ()
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def refresh(self) -> None:
        """Make the discovery calls, plan again with this hour's random label, and read the trust stores.

        A call that gives nothing now leaves what it gave before: hosts do not come and go with it. So does a
        file that can't be read now: somebody may be writing it.
        """
        calls = calls_needed(self.catalog, self.settings)
        if calls:
            region = self.settings.region or ""
            found = await discover(calls, self._fresh_context(), region=region, stop=self.stop)
            before = {one.name: one for one in self.discoveries}
            self.discoveries = tuple(one if one.hosts else before.get(one.name, one) for one in found)
        self.plan = plan_now(
            self.settings, self.catalog, identity=self.rhythm.identity, discoveries=self.discoveries
        )
        try:
            fresh = await asyncio.to_thread(open_context, self.settings, self.plan)
        except EgressdError as error:
            log.error("what is trusted can't be read; what was read before stays", why=str(error))  # noqa: TRY400 - it is a file, no bug
            return
        self.context = replace(fresh, control_cache=self.context.control_cache)

    async def look(
        self,
        probes: tuple[Probe, ...],
        *,
        starts: Mapping[str, float],
        on_done: Callable[[ProbeRecord], None],
        whole: Callable[[Recording], Recording],
    ) -> Recording:
        """Probe these, and what the whole picture then leaves open about them."""
        wanted = {one.id for one in probes}
        limits = replace(self.plan.limits, sweep_deadline=self.rhythm.sweep_deadline)

        def questions(recording: Recording) -> tuple[ControlPlan, ...]:
            return tuple(one for one in ask(self.settings, whole(recording)) if one.subject in wanted)

        return await sweep(
            replace(self.plan, probes=probes, limits=limits),
            self._fresh_context(),
            stop=self.stop,
            on_done=on_done,
            plan_followups=questions,
            starts=starts,
        )

    async def judge(self, recording: Recording) -> Sweep:
        """Judge in a thread: with many targets it takes longer than a scrape may wait."""
        return await asyncio.to_thread(judge, recording)

    def _fresh_context(self) -> ProbeContext:
        """Return an context that knows no answers yet; the trust stores are shared."""
        resolvers = expand_resolvers(self.settings.resolvers)
        return replace(self.context, plan=self.plan, resolvers=resolvers, _answers={}, _locks={})


def plan_now(
    settings: Settings, catalog: Catalog, *, identity: str, discoveries: tuple[Discovery, ...]
) -> Plan:
    """Plan with this hour's random label. Raises UsageError."""
    hour = int(clock.now().timestamp()) // HOUR
    return plan_sweep(settings, catalog, label=label_of(identity, hour), discoveries=discoveries)


def prepare(
    settings: Settings, catalog: Catalog, *, identity: str, discoveries: tuple[Discovery, ...] = ()
) -> NetworkProber:
    """Check all that can be wrong with settings before they are in force.

    Raises:
        ConfigError: a trust store can't be read, or a source is not on this host.
        UsageError: there is nothing to plan.
    """
    refuse_absent_sources(settings)
    plan = plan_now(settings, catalog, identity=identity, discoveries=discoveries)
    return NetworkProber(
        settings=settings,
        catalog=catalog,
        rhythm=Rhythm.of(settings, identity),
        plan=plan,
        context=open_context(settings, plan),
        discoveries=discoveries,
    )
