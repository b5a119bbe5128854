"""One probe, phase by phase: names, then each address on a trail of its own.

A trail stops at its first failure. Attempts are planned, and each leaves a trail: a retry that
succeeds silently would hide the evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import assert_never

from egressd.model.endpoint import Protocol
from egressd.model.observation import DnsObservation
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family, Resolver, Source
from egressd.net.ntp import query_ntp
from egressd.probe.budget import Deadline
from egressd.probe.candidates import DIRECT, Candidate, find_candidates
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_probe_via_proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRun:
    """What the run of one probe needs to know."""

    probe: Probe
    context: ProbeContext
    source: Source
    deadline: Deadline


async def run_probe(probe: Probe, context: ProbeContext) -> ProbeRecord:
    """Hold one probe's conversation from every address it has, and return what happened."""
    deadline = Deadline.after(context.limits.deadline)
    one = ProbeRun(probe=probe, context=context, source=context.source(probe.source), deadline=deadline)
    match probe.protocol:
        case Protocol.DNS:
            trails = await _ask_resolver(one)
        case Protocol.NTP | Protocol.UDP:
            trails = await _each_lead(one, _ask_time)
        case Protocol.HTTPS | Protocol.HTTP | Protocol.TLS | Protocol.WSS | Protocol.TCP:
            trails = await _converse(one)
        case _:
            assert_never(probe.protocol)
    return ProbeRecord(probe=probe.id, trails=trails)


async def _converse(one: ProbeRun) -> tuple[Trail, ...]:
    if one.probe.via_proxy:
        return await run_probe_via_proxy(one.probe, one.context, source=one.source, deadline=one.deadline)
    return await _each_lead(one, _dial_and_talk)


async def _each_lead(
    one: ProbeRun, follow: Callable[[ProbeRun, Candidate, int], Awaitable[Trail]]
) -> tuple[Trail, ...]:
    """Follow every candidate at the same time; the trails come in the order of the candidates."""
    candidates, elsewhere = await find_candidates(
        one.probe, one.context, source=one.source, deadline=one.deadline
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_attempts(one, candidate, follow)) for candidate in candidates]
    return (*(trail for task in tasks for trail in task.result()), *elsewhere)


async def _attempts(
    one: ProbeRun, candidate: Candidate, follow: Callable[[ProbeRun, Candidate, int], Awaitable[Trail]]
) -> list[Trail]:
    """Try as often as planned, until one succeeds; keep every try."""
    trails: list[Trail] = []
    for attempt in range(1, one.context.limits.attempts + 1):
        trail = await follow(one, candidate, attempt)
        trails.append(trail)
        if trail.last is None or trail.last.failure is None or one.deadline.left(1.0) == 0.0:
            break
    return trails


async def _dial_and_talk(one: ProbeRun, candidate: Candidate, attempt: int) -> Trail:
    conversation = Conversation(
        probe=one.probe, context=one.context, deadline=one.deadline, seen=[], store=one.context.store
    )
    await run_conversation(conversation, candidate.dial_address, candidate.dial_port or one.probe.port)
    return _extend(candidate.trail(one.source, attempt=attempt), conversation)


def _extend(trail: Trail, conversation: Conversation) -> Trail:
    return replace(trail, observations=(*trail.observations, *conversation.seen))


async def _ask_time(one: ProbeRun, candidate: Candidate, attempt: int) -> Trail:
    observation = await query_ntp(
        candidate.dial_address,
        candidate.dial_port or one.probe.port,
        source=one.source,
        timeout=one.deadline.left(one.context.limits.dns_timeout),
    )
    trail = candidate.trail(one.source, attempt=attempt)
    return replace(trail, observations=(*trail.observations, observation))


async def _ask_resolver(one: ProbeRun) -> tuple[Trail, ...]:
    """Ask the resolver that is the target for a name this plan needs."""
    resolver = Resolver(
        name=f"{one.probe.host}:{one.probe.port}", address=one.probe.host, port=one.probe.port
    )
    question = _name_to_ask(one)
    answer: DnsObservation = await one.context.look_up(
        question,
        Family.IPV4,
        resolver=resolver,
        source=one.source,
        timeout=one.deadline.left(one.context.limits.dns_timeout),
    )
    return (
        Trail(
            source=one.source.name,
            family=Family.IPV6 if ":" in one.probe.host else Family.IPV4,
            address=one.probe.host,
            path=DIRECT,
            observations=(answer,),
            resolver=resolver.name,
        ),
    )


def _name_to_ask(one: ProbeRun) -> str:
    """Return the first name of the plan; the root where it has none."""
    return next(
        (
            probe.host
            for probe in one.context.plan.probes
            if probe.protocol is not Protocol.DNS and not probe.siblings
        ),
        ".",
    )
