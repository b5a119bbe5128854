"""The four calls joined: plan, sweep, judge; what `--once`, the lab and the daemon all drive."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from egressd.attribution import judge, plan_followups
from egressd.errors import AbsentSourceError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.plan import ControlPlan, Plan
from egressd.model.recording import Baseline, ProbeRecord, Recording
from egressd.model.settings import Settings, Trust
from egressd.model.verdict import Sweep
from egressd.net.resolve import system_nameservers
from egressd.net.trust import load_trust
from egressd.net.tunnel import proxy_secrets
from egressd.net.vantage import local_addresses, local_interfaces, unusable_sources
from egressd.planning import calls_needed, make_plan
from egressd.planning.probes import route_revocation_fetches
from egressd.probe.context import ProbeContext, expand_resolvers
from egressd.probe.discovery import discover
from egressd.probe.sweep import sweep

MOST_SHOWN = 12
"""Addresses, or interfaces, that are told to somebody who named one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a sweep has come, in probes."""

    done: int
    total: int
    ok: int
    failing: int


def plan_sweep(
    settings: Settings, catalog: Catalog, *, label: str = "", discoveries: tuple[Discovery, ...] = ()
) -> Plan:
    """Plan a sweep; this host's resolver files are read, nothing is sent.

    Raises:
        UsageError: the settings name a profile that does not exist, or nothing at all.
    """
    nameservers = system_nameservers() if any(one.is_system for one in settings.resolvers) else ()
    return make_plan(
        catalog,
        settings,
        discoveries=discoveries,
        label=label or random_label(),
        nameservers=nameservers,
    )


def refuse_absent_sources(settings: Settings) -> None:
    """Refuse sources that probes can't leave from: whoever starts a sweep asks this first.

    Raises:
        AbsentSourceError: an address or interface is not on this host.
    """
    problems = unusable_sources(settings.sources)
    if problems:
        addresses = ", ".join(local_addresses()[:MOST_SHOWN]) or "none that can be read"
        interfaces = ", ".join(local_interfaces()[:MOST_SHOWN])
        known = f"the addresses of this host are {addresses}; its interfaces {interfaces}"
        raise AbsentSourceError(tuple(f"sources: {one}; {known}" for one in problems))


def random_label() -> str:
    """Return a label that exists nowhere, with a prefix that a log reader can recognise."""
    return f"egressd-probe-{secrets.token_hex(4)}"


async def run_once(
    settings: Settings,
    catalog: Catalog,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    baseline: Baseline | None = None,
) -> Sweep:
    """Plan, probe and judge once, against a baseline if there is one.

    Raises:
        ConfigError: a trust store can't be read.
        UsageError: there is nothing to plan.
    """
    stop = stop or asyncio.Event()
    context, _ = await prepare(settings, catalog, label=random_label(), stop=stop)
    on_done = _count(len(context.plan.probes), progress)
    recording = await sweep(
        context.plan, context, stop=stop, on_done=on_done, plan_followups=lambda seen: ask(settings, seen)
    )
    return judge(replace(recording, baseline=baseline))


async def prepare(
    settings: Settings, catalog: Catalog, *, label: str, stop: asyncio.Event
) -> tuple[ProbeContext, tuple[Discovery, ...]]:
    """Plan, load what probing needs, and plan again with the hosts that discovery calls gave.

    Raises:
        ConfigError: a trust store can't be read.
        UsageError: there is nothing to plan.
    """
    context = open_context(settings, plan_sweep(settings, catalog, label=label))
    calls = calls_needed(catalog, settings)
    if not calls:
        return context, ()
    found = await discover(calls, context, region=settings.region or "", stop=stop)
    context.plan = plan_sweep(settings, catalog, label=label, discoveries=found)
    return context, found


def ask(settings: Settings, recording: Recording) -> tuple[ControlPlan, ...]:
    """Return the controls that a recording calls for, each with the way it takes."""
    return route_revocation_fetches(plan_followups(recording), settings, recording.plan)


def open_context(settings: Settings, plan: Plan) -> ProbeContext:
    """Load what probing needs: the trust stores and the DNS resolvers."""
    proxy = settings.proxy
    return ProbeContext(
        plan=plan,
        store=load_trust(settings.trust),
        resolvers=expand_resolvers(settings.resolvers),
        proxy_store=load_trust(Trust(store=proxy.ca_file)) if proxy and proxy.ca_file else None,
        secrets=proxy_secrets(settings.proxy, settings.plain_proxy),
    )


def _count(total: int, progress: Callable[[Progress], None] | None) -> Callable[[ProbeRecord], None]:
    """Return what to call after each probe: it counts those with a trail that reached its end."""
    done = ok = 0

    def note(record: ProbeRecord) -> None:
        nonlocal done, ok
        done += 1
        ok += any(trail.address and trail.last and trail.last.failure is None for trail in record.trails)
        if progress is not None:
            progress(Progress(done=done, total=total, ok=ok, failing=done - ok))

    return note
