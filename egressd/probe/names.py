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
class Lead:
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


async def follow_names(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Lead, ...], tuple[Trail, ...]]:
    """Return the leads of a probe, and a trail for each answer that leads nowhere new.

    A random label is not looked up: it need not exist. It borrows one address of its siblings.
    """
    if probe.siblings:
        return await _borrow(probe, context, source=source, deadline=deadline)
    answers = await _hear(probe.host, context, source=source, deadline=deadline)
    leads = tuple(_redirect(_leads(answers, context.limits.addresses), probe.connect_to))
    used = {id(lead.names[0]) for lead in leads}
    return leads, tuple(_dead_end(one, source) for one in answers if id(one[1]) not in used)


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
            for family in families_of(source, context.limits.families)
            for resolver in context.resolvers
        ]
    return [(family, task.result()) for family, task in asked]


def families_of(source: Source, wanted: Iterable[Family]) -> tuple[Family, ...]:
    """Return the families a source can speak: an address speaks its own alone."""
    if source.address is None:
        return tuple(wanted)
    own = Family.IPV6 if ":" in source.address else Family.IPV4
    return tuple(family for family in wanted if family is own)


def _leads(answers: Iterable[tuple[Family, DnsObservation]], most: int) -> list[Lead]:
    """Return one lead per address, `most` of a family; the first resolver that gave it leads."""
    leads: dict[tuple[Family, str], Lead] = {}
    for family, answer in answers:
        known = sum(1 for key in leads if key[0] is family)
        fresh = [address for address in answer.answers if (family, address) not in leads]
        for address in fresh[: max(0, most - known)]:
            leads[family, address] = Lead(
                family=family, address=address, dial_address=address, dial_port=0, names=(answer,)
            )
    return list(leads.values())


def _redirect(leads: list[Lead], connect_to: ConnectTo | None) -> list[Lead]:
    """Dial what `connect_to` says instead, once: every address would lead to the same place."""
    if connect_to is None:
        return leads
    return [
        Lead(
            family=lead.family,
            address=lead.address,
            dial_address=connect_to.address,
            dial_port=connect_to.port,
            names=lead.names,
            borrowed_from=lead.borrowed_from,
            redirected=True,
        )
        for lead in leads[:1]
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
) -> tuple[tuple[Lead, ...], tuple[Trail, ...]]:
    """Take the first address of the first sibling that has one."""
    answers: Sequence[tuple[Family, DnsObservation]] = ()
    for sibling in probe.siblings:
        answers = await _hear(sibling, context, source=source, deadline=deadline)
        found = _leads(answers, 1)[:1]
        if found:
            lead = found[0]
            borrowed = Lead(
                family=lead.family,
                address=lead.address,
                dial_address=lead.dial_address,
                dial_port=lead.dial_port,
                names=lead.names,
                borrowed_from=sibling,
            )
            return tuple(_redirect([borrowed], probe.connect_to)), ()
    return (), tuple(_dead_end(one, source) for one in answers)
