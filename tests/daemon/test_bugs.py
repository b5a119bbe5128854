"""Every function of the pure part fails in turn: what it computes is missing, and the daemon goes on."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from inspect import isgeneratorfunction
from types import CodeType, FunctionType
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

import egressd
from egressd import clock
from egressd.attribution import judge, plan_followups
from egressd.bugs import BUGS, report_bug
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.metrics.writing import write_snapshot
from egressd.model.recording import Recording
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.model.verdict import Outcome, Sweep
from tests.attribution.cases import SCENES
from tests.daemon.simulation import FakeKeeper
from tests.hostile.outputs import LIMITS, NOTIFY, RULES, JudgingSession

ROOMS = (
    "egressd.attribution",
    "egressd.standing",
    "egressd.alerting",
    "egressd.metrics.collect",
    "egressd.metrics.writing",
    "egressd.daemon.counters",
    "egressd.daemon.evaluate",
    "egressd.daemon.event_log",
    "egressd.notify.outbox",
)
BOUNDARY = frozenset(
    {
        "egressd.attribution.judgement.judge",
        "egressd.attribution.judgement._none_judged",
        "egressd.attribution.judgement._failed",
        "egressd.attribution.judgement._failure_verdict",
        "egressd.attribution.judgement._with_failure",
        "egressd.attribution.judgement._target_verdict",
        "egressd.attribution.followups.plan_followups",
        "egressd.metrics.collect.rows_of",
        "egressd.metrics.collect._results",
        "egressd.metrics.writing.write_snapshot",
    }
)
"""What catches the others, and what it falls back on."""
EVERY = int(os.environ.get("TEST_FAULTS_EVERY", "5"))
"""One function in so many is made to fail; 1: all of them."""
TURN = int(os.environ.get("TEST_FAULTS_TURN", "0"))
RECORDING = next(one for one in SCENES if one.name == "proxy-untold").build().recording()


def boom(*_: object, **__: object) -> None:
    """Fail as our own code would."""
    raise RecursionError("maximum recursion depth exceeded")


def boom_when_read(*_: object, **__: object) -> Iterator[None]:
    """Fail as our own code would, where it is a generator."""
    boom()
    yield


def functions() -> Iterator[tuple[str, FunctionType]]:
    """Yield every function and method of the pure rooms that can be given another code."""
    for _, name, _ in pkgutil.walk_packages(egressd.__path__, "egressd."):
        if not name.startswith(ROOMS):
            continue
        module = importlib.import_module(name)
        found = list(vars(module).values())
        found += [member for one in found if isinstance(one, type) for member in vars(one).values()]
        for one in found:
            function = _function_of(one)
            if function is not None and function.__module__ == name and not function.__code__.co_freevars:
                yield f"{name}.{function.__qualname__}", function


def _function_of(one: object) -> FunctionType | None:
    for name in ("fget", "func", "__func__", "__wrapped__"):  # properties, cached ones, class methods, caches
        one = getattr(one, name, one) if not isinstance(one, FunctionType) else one
    return one if isinstance(one, FunctionType) and not one.__qualname__.startswith("__") else None


ALL = {name: one for name, one in functions() if name not in BOUNDARY and "__" not in name}


@contextmanager
def failing(function: FunctionType) -> Iterator[None]:
    """Let a function raise, whoever calls it."""
    code: CodeType = function.__code__
    kept = function.__defaults__, function.__kwdefaults__
    function.__code__ = (boom_when_read if isgeneratorfunction(function) else boom).__code__
    try:
        yield
    finally:
        function.__code__ = code
        function.__defaults__, function.__kwdefaults__ = kept


class ReportingSession(JudgingSession):
    """A session that judges as a real one does."""

    async def judge(self, of: Recording) -> Sweep:
        return judge(of, on_bug=report_bug)


async def run_once_through(recording: Recording) -> StateStore:
    """Plan follow-ups, apply a sweep three times, evaluate later on, and write the metrics."""
    now = clock.timestamp()
    snapshot = Snapshot(
        settings=Settings(alerting=RULES, notify=NOTIFY),
        config=ConfigStatus(digest="", since=now),
        started=now,
    )
    events: list[Any] = []
    store = StateStore(
        holder=SnapshotHolder(snapshot), keeper=FakeKeeper(), on_events=events.extend, limits=LIMITS
    )
    probes = frozenset(one.id for one in recording.plan.probes)
    plan_followups(recording, on_bug=report_bug)
    for number in range(3):
        repeated = replace(recording, id=f"again-{number}")
        await store.apply(ReportingSession(recording), of=repeated, probes=probes, seconds=1.0)
    await store._advance((), clock.now() + timedelta(hours=1))
    write_snapshot(store.holder.current, limits=LIMITS, openmetrics=True)
    return store


def outcomes(sweep: Sweep) -> dict[tuple[str, str], tuple[Outcome, str | None]]:
    """Return what a sweep says of each target and source."""
    return {
        (one.target, two.source): (two.verdict.outcome, two.verdict.reason)
        for one in sweep.verdicts
        for two in one.by_source
    }


@pytest.mark.bugs
def test_whatever_fails_a_sweep_has_all_of_its_verdicts() -> None:
    """A failing function makes verdicts unknown, ours, and counted; none is lost, and none accuses."""
    before = outcomes(judge(RECORDING))
    wrong: list[str] = []
    names = sorted(ALL)[TURN::EVERY]
    assert len(ALL) > 600
    counted = 0
    for name in names:
        bugs = sum(BUGS.totals().values())
        with failing(ALL[name]), structlog.testing.capture_logs():
            try:
                store = asyncio.run(run_once_through(RECORDING))
            except Exception as error:  # noqa: BLE001 - the list of all is the result
                wrong.append(f"{name}: {type(error).__name__}: {error}")
                continue
        reported = sum(BUGS.totals().values()) - bugs
        counted += reported > 0
        sweep = store.holder.current.sweep
        assert sweep is not None
        seen = outcomes(sweep)
        if seen.keys() != before.keys():
            wrong.append(f"{name}: targets are missing")
        changed = {key: one for key, one in seen.items() if one != before[key]}
        if any(one != (Outcome.UNKNOWN, "internal_error") for one in changed.values()) and not reported:
            wrong.append(f"{name}: says {changed}")
    assert wrong == [], "\n".join(wrong)
    assert counted > len(names) / 4
