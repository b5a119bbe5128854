"""A sweep looks each name up once; the next sweep looks it up again."""

from __future__ import annotations

import pytest

from egressd.model.observation import DnsObservation
from egressd.model.settings import Family, Limits, Resolver, Source, Trust
from egressd.net import resolve
from egressd.net.trust import load_trust
from egressd.probe.context import ProbeContext
from tests.probe.test_sweep import plan_of

RESOLVER = Resolver(name="192.0.2.53", address="192.0.2.53")


async def test_a_fresh_context_has_no_cached_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a sweep the answer is cached; a fresh context asks again, and shares the rest."""
    asked: list[str] = []

    async def answer(name: str, rtype: str, **_: object) -> DnsObservation:
        asked.append(name)
        return DnsObservation(started="", elapsed_ms=0.0, name=name, type="A", resolver="", queries=())

    monkeypatch.setattr(resolve, "look_up", answer)
    plan = plan_of(limits=Limits(concurrency=1))
    context = ProbeContext(plan=plan_of(), store=load_trust(Trust()), resolvers=(), secrets=("x",))
    fresh = context.fresh(plan, (RESOLVER,))
    for one in (fresh, fresh, fresh.fresh(plan, (RESOLVER,))):
        await one.look_up("A.test", Family.IPV4, resolver=RESOLVER, source=Source(name="default"), timeout=1)
    assert len(asked) == 2
    assert (fresh.plan, fresh.resolvers) == (plan, (RESOLVER,))
    assert (fresh.store, fresh.secrets, fresh.control_cache) == (
        context.store,
        context.secrets,
        context.control_cache,
    )
