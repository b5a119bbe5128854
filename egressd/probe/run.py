"""One probe, phase by phase: DNS, then each address on a trail of its own.

A trail ends at its first failure. Attempts are planned, and each is made and leaves a trail: one that stopped
at the first success would not see what works only sometimes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

from msgspec import Struct

from egressd.model.endpoint import Protocol
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family, Resolver, Source
from egressd.net.ntp import query_ntp
from egressd.net.resolve import look_up_both
from egressd.probe.budget import Deadline, run_together
from egressd.probe.candidates import DIRECT, Candidate, find_candidates
from egressd.probe.context import RECORD_TYPES, ProbeContext
from egressd.probe.conversation import Conversation, run_conversation
from egressd.probe.via_proxy import run_probe_via_proxy


class ProbeRun(Struct, frozen=True, kw_only=True):
    """A probe in progress."""

    probe: Probe
    context: ProbeContext
    source: Source
    deadline: Deadline


Attempt = Callable[[ProbeRun, Candidate, int], Awaitable[Trail]]


async def run_probe(probe: Probe, context: ProbeContext) -> ProbeRecord:
    """Run one probe against every address of its host, and return the trails."""
    deadline = Deadline.after(context.limits.deadline)
    run = ProbeRun(probe=probe, context=context, source=context.source(probe.source), deadline=deadline)
    trails: tuple[Trail, ...]
    match probe.protocol:
        case Protocol.DNS:
            trails = (await _query_resolver(run),)
        case Protocol.NTP | Protocol.UDP:
            trails = await _each_candidate(run, _attempt_ntp)
        case Protocol.HTTPS | Protocol.HTTP | Protocol.TLS | Protocol.WSS | Protocol.TCP:
            if probe.via_proxy:
                trails = await run_probe_via_proxy(probe, context, source=run.source, deadline=deadline)
            else:
                trails = await _each_candidate(run, _attempt_conversation)
        case Protocol.ICMP:
            trails = ()  # a rule to ask for: no plan has a probe of it
        case _:
            assert_never(probe.protocol)
    return ProbeRecord(probe=probe.id, trails=trails)


async def _each_candidate(run: ProbeRun, attempt: Attempt) -> tuple[Trail, ...]:
    """Try all candidates at the same time; the trails come in the order of the candidates."""
    candidates, others = await find_candidates(
        run.probe, run.context, source=run.source, deadline=run.deadline
    )
    found = await run_together([_attempts(run, candidate, attempt) for candidate in candidates])
    return (*(trail for trails in found for trail in trails), *others)


async def _attempts(run: ProbeRun, candidate: Candidate, attempt: Attempt) -> list[Trail]:
    """Make the planned attempts as far as the deadline allows; keep the trail of each."""
    trails: list[Trail] = []
    for number in range(1, run.context.limits.attempts + 1):
        trails.append(await attempt(run, candidate, number))
        if run.deadline.left(1.0) == 0.0:
            break
    return trails


async def _attempt_conversation(run: ProbeRun, candidate: Candidate, number: int) -> Trail:
    conversation = Conversation(probe=run.probe, context=run.context, deadline=run.deadline)
    await run_conversation(conversation, candidate.dial_address, candidate.dial_port)
    return candidate.trail(run.source, seen=conversation.seen, attempt=number)


async def _attempt_ntp(run: ProbeRun, candidate: Candidate, number: int) -> Trail:
    observation = await query_ntp(
        candidate.dial_address,
        candidate.dial_port,
        source=run.source,
        timeout=run.deadline.left(run.context.limits.dns_timeout),
    )
    return candidate.trail(run.source, seen=(observation,), attempt=number)


async def _query_resolver(run: ProbeRun) -> Trail:
    """Query the target, a resolver, for a name of the plan, over both transports."""
    host, port = run.probe.host, run.probe.port
    resolver = Resolver(name=f"{host}:{port}", address=host, port=port)
    answer = await look_up_both(
        _name_to_query(run),
        RECORD_TYPES[Family.IPV4],
        resolver=resolver,
        source=run.source,
        timeout=run.deadline.left(run.context.limits.dns_timeout),
    )
    return Trail(
        source=run.source.name,
        family=Family.IPV6 if ":" in host else Family.IPV4,
        address=host,
        path=DIRECT,
        observations=(answer,),
        resolver=resolver.name,
    )


def _name_to_query(run: ProbeRun) -> str:
    """Return the first name of the plan; the root where it has none."""
    probes = (one for one in run.context.plan.probes if one.protocol is not Protocol.DNS and not one.siblings)
    return next((one.host for one in probes), ".")
