"""From a name to the addresses worth dialling, every resolver heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from egressd.model.observation import DnsObservation
from egressd.model.plan import Probe
from egressd.model.recording import Trail
from egressd.model.settings import ConnectTo, Family, Source
from egressd.probe.budget import Deadline
from egressd.probe.context import ProbeContext

DIRECT = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An address to dial, and how we came by it."""

    family: Family
    address: str
    """As DNS gave it."""
    dial_address: str
    dial_port: int
    names: tuple[DnsObservation, ...]
    borrowed_from: str | None = None
    redirected: bool = False

    def trail(self, source: Source, *, path: str = DIRECT, attempt: int = 1) -> Trail:
        """Return the trail so far: it ends in the answer that led here."""
        return Trail(
            source=source.name,
            family=self.family,
            address=self.address,
            path=path,
            observations=self.names,
            attempt=attempt,
            resolver=self.names[-1].resolver if self.names else "",
            borrowed_from=self.borrowed_from,
            redirected=self.redirected,
        )


async def find_candidates(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
    """Return the candidates of a probe, and a trail for each answer that gives no new one.

    A random label is not looked up: it need not exist. It borrows one address of its siblings.
    """
    if probe.siblings:
        return await _borrow(probe, context, source=source, deadline=deadline)
    answers = await _hear(probe.host, context, source=source, deadline=deadline)
    candidates = tuple(_redirect(_leads(answers, context.limits.addresses), probe.connect_to))
    used = {id(candidate.names[0]) for candidate in candidates}
    return candidates, tuple(_dead_end(one, source) for one in answers if id(one[1]) not in used)


async def _hear(
    name: str, context: ProbeContext, *, source: Source, deadline: Deadline
) -> Sequence[tuple[Family, DnsObservation]]:
    """Ask every resolver for every family at once; return the answers in a stable order."""
    timeout = deadline.left(context.limits.dns_timeout)
    async with asyncio.TaskGroup() as group:
        asked = [
            (
                family,
                group.create_task(
                    context.look_up(name, family, resolver=resolver, source=source, timeout=timeout)
                ),
            )
            for family in source_families(source, context.limits.families)
            for resolver in context.resolvers
        ]
    return [(family, task.result()) for family, task in asked]


def source_families(source: Source, wanted: Iterable[Family]) -> tuple[Family, ...]:
    """Return the families a source can speak: an address speaks its own alone."""
    if source.address is None:
        return tuple(wanted)
    own = Family.IPV6 if ":" in source.address else Family.IPV4
    return tuple(family for family in wanted if family is own)


def _leads(answers: Iterable[tuple[Family, DnsObservation]], most: int) -> list[Candidate]:
    """Return one candidate per address, `most` of a family; the first resolver that gave it counts."""
    candidates: dict[tuple[Family, str], Candidate] = {}
    for family, answer in answers:
        known = sum(1 for key in candidates if key[0] is family)
        fresh = [address for address in answer.answers if (family, address) not in candidates]
        for address in fresh[: max(0, most - known)]:
            candidates[family, address] = Candidate(
                family=family, address=address, dial_address=address, dial_port=0, names=(answer,)
            )
    return list(candidates.values())


def _redirect(candidates: list[Candidate], connect_to: ConnectTo | None) -> list[Candidate]:
    """Dial what `connect_to` says instead, once: every address leads to the same place."""
    if connect_to is None:
        return candidates
    return [
        Candidate(
            family=candidate.family,
            address=candidate.address,
            dial_address=connect_to.address,
            dial_port=connect_to.port,
            names=candidate.names,
            borrowed_from=candidate.borrowed_from,
            redirected=True,
        )
        for candidate in candidates[:1]
    ]


def _dead_end(answer: tuple[Family, DnsObservation], source: Source) -> Trail:
    family, observation = answer
    return Trail(
        source=source.name,
        family=family,
        address=None,
        path=DIRECT,
        observations=(observation,),
        resolver=observation.resolver,
    )


async def _borrow(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
    """Take the first address of the first sibling that has one."""
    answers: Sequence[tuple[Family, DnsObservation]] = ()
    for sibling in probe.siblings:
        answers = await _hear(sibling, context, source=source, deadline=deadline)
        found = _leads(answers, 1)[:1]
        if found:
            candidate = found[0]
            borrowed = Candidate(
                family=candidate.family,
                address=candidate.address,
                dial_address=candidate.dial_address,
                dial_port=candidate.dial_port,
                names=candidate.names,
                borrowed_from=sibling,
            )
            return tuple(_redirect([borrowed], probe.connect_to)), ()
    return (), tuple(_dead_end(one, source) for one in answers)
