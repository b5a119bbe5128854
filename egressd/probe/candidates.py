"""From a name to the addresses to dial: every resolver is queried, each address is one candidate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.observation import DnsObservation, Failure, Observation
from egressd.model.plan import Probe
from egressd.model.recording import Trail
from egressd.model.settings import ConnectTo, Family, Resolver, Source
from egressd.net.dns.system import EAI_AGAIN
from egressd.probe.budget import Deadline, run_together
from egressd.probe.context import ProbeContext

DIRECT = "direct"
PAUSE_SHARE = 0.2
"""The share of a lookup's timeout to wait before the same question is asked again."""
PATIENCE = 1.5
"""How much longer the second lookup may take than the first."""
_SLOW = frozenset({Failure.TIMEOUT, Failure.MALFORMED})


class Answer(Struct, frozen=True, kw_only=True):
    """The end of one lookup."""

    family: Family
    resolver: Resolver
    seen: DnsObservation
    attempt: int = 1

    @property
    def may_be_slow(self) -> bool:
        """Whether more patience may get an answer: nothing came in time, or the resolver gave up in time."""
        gave_up = self.seen.rcode == "SERVFAIL" or any(one.errno == EAI_AGAIN for one in self.seen.queries)
        return self.seen.failure in _SLOW or gave_up


class Candidate(Struct, frozen=True, kw_only=True):
    """An address to dial, and the DNS answer it comes from."""

    family: Family
    address: str
    """As DNS gave it."""
    dial_address: str
    dial_port: int
    names: tuple[DnsObservation, ...]
    borrowed_from: str | None = None
    redirected: bool = False

    def trail(
        self, source: Source, *, seen: Iterable[Observation] = (), path: str = DIRECT, attempt: int = 1
    ) -> Trail:
        """Return the trail of an attempt: the DNS answer, then the observations of later phases."""
        return Trail(
            source=source.name,
            family=self.family,
            address=self.address,
            path=path,
            observations=(*self.names, *seen),
            attempt=attempt,
            resolver=self.names[-1].resolver if self.names else "",
            borrowed_from=self.borrowed_from,
            redirected=self.redirected,
        )


async def find_candidates(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
    """Return the candidates of a probe, and a trail for each DNS answer that adds none.

    A random label is not looked up, as it need not exist: the first address of a sibling is used.
    """
    if probe.siblings:
        return await _candidates_of_siblings(probe, context, source=source, deadline=deadline)
    answers = await _query_patiently(probe.host, context, source=source, deadline=deadline)
    found = _apply_connect_to(_candidates_in(answers, probe.port, context.limits.addresses), probe.connect_to)
    used = {id(one.names[0]) for one in found}
    return found, tuple(_trail_of_answer(one, source) for one in answers if id(one.seen) not in used)


async def _query_patiently(
    name: str, context: ProbeContext, *, source: Source, deadline: Deadline
) -> Sequence[Answer]:
    """Query every resolver; where none has an address, ask those again that may only have been slow.

    A resolver that has to recurse knows the answer when it is asked later.
    """
    answers = await _query_all(name, context, source=source, deadline=deadline)
    slow = [one for one in answers if one.may_be_slow]
    if not slow or any(one.seen.answers for one in answers):
        return answers
    await asyncio.sleep(deadline.left(PAUSE_SHARE * context.limits.dns_timeout))
    seconds = min(PATIENCE * context.limits.dns_timeout, deadline.left(context.limits.deadline) / 2)
    asked = [(one.family, one.resolver) for one in slow]
    return [*answers, *await _query_each(name, asked, context, source=source, seconds=seconds, attempt=2)]


async def _query_all(name: str, context: ProbeContext, *, source: Source, deadline: Deadline) -> list[Answer]:
    """Query every resolver for every family."""
    families = source_families(source, context.limits.families)
    asked = [(family, resolver) for family in families for resolver in context.resolvers]
    seconds = deadline.left(context.limits.dns_timeout)
    return await _query_each(name, asked, context, source=source, seconds=seconds)


async def _query_each(
    name: str,
    asked: Iterable[tuple[Family, Resolver]],
    context: ProbeContext,
    *,
    source: Source,
    seconds: float,
    attempt: int = 1,
) -> list[Answer]:
    """Query several resolvers at once; return the answers in a stable order."""
    asked = tuple(asked)
    found = await run_together(
        [
            context.look_up(name, family, resolver=resolver, source=source, timeout=seconds, attempt=attempt)
            for family, resolver in asked
        ]
    )
    return [
        Answer(family=family, resolver=resolver, seen=seen, attempt=attempt)
        for (family, resolver), seen in zip(asked, found, strict=True)
    ]


def source_families(source: Source, wanted: Iterable[Family]) -> tuple[Family, ...]:
    """Return the wanted families that a source can use: a source address has one family only."""
    if source.address is None:
        return tuple(wanted)
    own = Family.IPV6 if ":" in source.address else Family.IPV4
    return tuple(family for family in wanted if family is own)


def _candidates_in(answers: Iterable[Answer], port: int, most: int) -> list[Candidate]:
    """Return one candidate per address, `most` of a family; the first answer with an address counts."""
    candidates: dict[tuple[Family, str], Candidate] = {}
    for one in answers:
        family, answer = one.family, one.seen
        known = sum(1 for key in candidates if key[0] is family)
        fresh = [address for address in answer.answers if (family, address) not in candidates]
        for address in fresh[: max(0, most - known)]:
            candidates[family, address] = Candidate(
                family=family, address=address, dial_address=address, dial_port=port, names=(answer,)
            )
    return list(candidates.values())


def _apply_connect_to(candidates: list[Candidate], connect_to: ConnectTo | None) -> tuple[Candidate, ...]:
    """Dial the address of `connect_to` instead, once: all candidates would lead to the same place."""
    if connect_to is None:
        return tuple(candidates)
    address, port = connect_to.address, connect_to.port
    return tuple(
        replace(one, dial_address=address, dial_port=port, redirected=True) for one in candidates[:1]
    )


def _trail_of_answer(answer: Answer, source: Source) -> Trail:
    return Trail(
        source=source.name,
        family=answer.family,
        address=None,
        path=DIRECT,
        observations=(answer.seen,),
        attempt=answer.attempt,
        resolver=answer.seen.resolver,
    )


async def _candidates_of_siblings(
    probe: Probe, context: ProbeContext, *, source: Source, deadline: Deadline
) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
    """Return the first address of the first sibling that has one."""
    answers: Sequence[Answer] = ()
    for sibling in probe.siblings:
        answers = await _query_all(sibling, context, source=source, deadline=deadline)
        found = [replace(one, borrowed_from=sibling) for one in _candidates_in(answers, probe.port, 1)]
        if found:
            return _apply_connect_to(found[:1], probe.connect_to), ()
    return (), tuple(_trail_of_answer(one, source) for one in answers)
