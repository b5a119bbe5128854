"""One configuration, planned, probed and judged as often as wanted: what every command that probes drives."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from egressd import clock
from egressd.attribution import SAMPLED, judge, plan_followups
from egressd.bugs import report_bug
from egressd.engine.late_modules import import_late_modules
from egressd.engine.latest import EVIDENCE_INTERVALS, LatestResults, RecordChange
from egressd.engine.plan import plan_sweep
from egressd.engine.schedule import Schedule, hourly_label
from egressd.errors import EgressdError
from egressd.log import get_logger
from egressd.model.catalog import Catalog, Discovery
from egressd.model.plan import ControlPlan, Plan, Probe
from egressd.model.recording import Baseline, ProbeRecord, Recording
from egressd.model.settings import Settings, Trust
from egressd.model.verdict import Sweep
from egressd.net.trust import VendorRoots, load_trust, read_roots
from egressd.net.tunnel import proxy_secrets
from egressd.planning import calls_needed
from egressd.planning.probes import route_fetches
from egressd.probe.context import ProbeContext, expand_resolvers
from egressd.probe.discovery import discover
from egressd.probe.sweep import sweep

NO_DELAYS: Mapping[str, float] = MappingProxyType({})

OnDone = Callable[[ProbeRecord, RecordChange], None]
"""Called in the event loop as each probe ends."""

log = get_logger(__name__)


def _ignore(_record: ProbeRecord, _change: RecordChange) -> None:
    """Nothing to do as probes end."""


class Session:
    """Plans, probes and judges one configuration, as often as wanted.

    `plan` is the plan in force, `results` the newest result of every probe, `schedule` when a daemon would
    probe, `discoveries` what the discovery calls gave. Setting `stop` ends a pass early: what is complete is
    kept, the rest is marked `interrupted`.

    Creating one reads files and sends nothing. `plan` overrides the plan that settings and catalog lead to;
    `identity` gives this host its own schedule and random labels (empty: a random one); sweeps are judged
    against `baseline`; `reuse` makes passes over parts of the plan cheap, see `LatestResults`.

    Raises:
        ConfigError: a trust store can't be read.
        UsageError: there is nothing to plan.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        *,
        plan: Plan | None = None,
        identity: str = "",
        discoveries: tuple[Discovery, ...] = (),
        baseline: Baseline | None = None,
        reuse: bool = False,
        stop: asyncio.Event | None = None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.schedule = Schedule.of(settings, identity or secrets.token_hex(8))
        self.discoveries = discoveries
        self.baseline = baseline
        self.stop = stop or asyncio.Event()
        age = EVIDENCE_INTERVALS * settings.interval if reuse else None
        self.results = LatestResults(reuse=reuse, evidence_age=age)
        self.plan = plan or self._make_plan(before=None)
        self.context = open_context(settings, self.plan)

    async def discover(self) -> None:
        """Make the documented discovery calls, and plan again with the hosts they give.

        A call that gives nothing now leaves what it gave before: hosts do not come and go with it.
        """
        if await self._call_discovery():
            await self._replan()

    async def _call_discovery(self) -> bool:
        """Take in what the discovery calls give; return whether there are any."""
        calls = calls_needed(self.catalog, self.settings)
        if not calls:
            return False
        region = self.settings.region or ""
        found = await discover(calls, self._new_context(), region=region, stop=self.stop)
        before = {one.name: one for one in self.discoveries}
        self.discoveries = tuple(one if one.hosts else before.get(one.name, one) for one in found)
        return True

    async def refresh(self) -> None:
        """Discover, plan again with this hour's random label, and read the trust stores again.

        A file that can't be read leaves what was read before: it may be being written.
        """
        await self._call_discovery()
        await self._replan()
        try:
            fresh = await asyncio.to_thread(open_context, self.settings, self.plan)
        except EgressdError as error:
            log.error("trust stores can't be read; what was read before stays", why=str(error))  # noqa: TRY400 - it is a file, no bug
            return
        self.context = replace(fresh, control_cache=self.context.control_cache)

    async def reconfigure(self, settings: Settings) -> None:
        """Go on with other settings for the same sources and endpoints: what is known of them stays."""
        self.settings = settings
        await self.refresh()

    async def sweep(self, *, on_done: OnDone = _ignore) -> Sweep:
        """Run every probe of the plan and the controls its outcome calls for, and judge."""
        return await self.judge(await self.probe(on_done=on_done))

    async def probe(
        self,
        probes: tuple[Probe, ...] | None = None,
        *,
        base_controls: bool = True,
        starts: Mapping[str, float] = NO_DELAYS,
        deadline: float | None = None,
        on_done: OnDone = _ignore,
    ) -> Recording:
        """Run some probes of the plan (None: all) and controls, and take them into `results`.

        `starts` gives, by probe id, the seconds to wait before a probe; `deadline` the seconds for the whole
        pass, if not as in the settings. The recording returned is of this pass alone.
        """
        plan = self.plan
        part = replace(
            plan,
            probes=plan.probes if probes is None else probes,
            controls=plan.controls if base_controls else (),
            limits=replace(plan.limits, sweep_deadline=deadline or plan.limits.sweep_deadline),
        )
        renewed = set() if self.results.reuse else {one.id for one in part.probes}

        def note(record: ProbeRecord) -> None:
            change = self.results.add(record)
            if change is not RecordChange.UNCHANGED or self.results.needs_controls(record):
                renewed.add(record.probe)
                self.context.control_cache.forget(record.probe)
            on_done(record, change)

        recording = await self._run(
            part,
            starts=starts,
            on_done=note,
            plan_followups=lambda seen: self._plan_followups(plan, seen, frozenset(renewed)),
        )
        self.results.finish(recording, renewed=renewed)
        return recording

    async def judge(self, of: Recording) -> Sweep:
        """Judge everything known; `of` says when and from where it was seen.

        In a thread: with many targets it takes longer than a scrape of the daemon may wait.
        """
        known = replace(self.results.recording(self.plan, of), baseline=self.baseline)
        return await asyncio.to_thread(judge, known, on_bug=report_bug)

    def _plan_followups(
        self, plan: Plan, seen: Recording, renewed: AbstractSet[str]
    ) -> tuple[ControlPlan, ...]:
        """Plan the follow-up controls of a running pass: those that results so far call for.

        The way of a control: base controls are part of each plan (`planning.controls`); what is worth asking
        after the first pass is decided by `attribution`; how a fetch leaves this host by `planning.probes`.
        `probe.sweep` runs both kinds by `probe.controls`, and calls this again once the first follow-ups have
        ended. Their results are read by the rules of `attribution`.
        """
        known = self.results.recording(plan, seen, renewed=renewed)
        probed = {one.probe for one in seen.records}
        wanted = plan_followups(known, probed=probed, on_bug=report_bug)
        planned = route_fetches(wanted, self.settings, plan)
        return tuple(
            one
            for one in planned
            if one.subject in renewed or (one.kind in SAMPLED and one.subject in probed)
        )

    async def _run(
        self,
        part: Plan,
        *,
        starts: Mapping[str, float],
        on_done: Callable[[ProbeRecord], None],
        plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    ) -> Recording:
        """Run a part of the plan on the network; simulations replace this."""
        return await sweep(
            part,
            self._new_context(),
            stop=self.stop,
            on_done=on_done,
            plan_followups=plan_followups,
            starts=starts,
        )

    def _new_context(self) -> ProbeContext:
        return self.context.fresh(self.plan, expand_resolvers(self.settings.resolvers))

    def _make_plan(self, *, before: Plan | None) -> Plan:
        label = hourly_label(self.schedule.identity, clock.now().timestamp())
        return plan_sweep(
            self.settings, self.catalog, label=label, discoveries=self.discoveries, before=before
        )

    async def _replan(self) -> None:
        """Plan again, in a thread: it is slow for many targets."""
        self.plan = await asyncio.to_thread(self._make_plan, before=self.plan)
        self.results = self.results.within(self.plan)


def open_context(settings: Settings, plan: Plan) -> ProbeContext:
    """Load what probing needs: modules, the trust stores and the DNS resolvers. Raises ConfigError."""
    import_late_modules()
    own_authorities = {one.ca_file for one in settings.proxies if one.ca_file is not None}
    own_roots = tuple(
        VendorRoots(domains=(host,), pem=read_roots(Path(file))) for host, file in settings.host.authorities
    )
    return ProbeContext(
        plan=plan,
        store=load_trust(settings.trust, own=own_roots).load(),
        resolvers=expand_resolvers(settings.resolvers),
        proxy_stores={one: load_trust(Trust(store=one)).load() for one in own_authorities},
        secrets=proxy_secrets(*settings.proxies),
    )
