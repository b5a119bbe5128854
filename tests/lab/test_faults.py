"""Every fault, swept as `--once` does: egressd gives the reason codes of the fault's row.

The sweeps run side by side on one loop, a few hosts each; then each fault is judged by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.catalog import load_catalog
from egressd.engine.once import run_once
from egressd.lab import DEMO, FAULTS, Fault, Lab
from egressd.model.verdict import Outcome, Sweep
from egressd.planning.pattern import glob_matches
from tests.pausing_loop import PausingLoop, now

pytestmark = pytest.mark.timeout(1800)
"""The first test of a process waits for all the sweeps, on a busy machine for minutes."""
SIDE_BY_SIDE = 4
CONTROLS = ("mcr.microsoft.com", "graph.microsoft.com", "packages.microsoft.com", "*.his.arc.azure.com")
OTHER_HOSTS = ("time.windows.com", "www.microsoft.com", "msk8s.b.tlu.*")

FINDINGS: Mapping[str, tuple[str, ...]] = {
    "site_wildcard_rule_incomplete": ("tls_reset=egressd-probe-*",),
    "site_suffix_rule_missing": ("tls_reset=*.his.arc.azure.com",),
    "site_port80_blocked": ("tcp_silent=*:80",),
    "tcp_egress_all_blocked": ("tcp_silent=*",),
    "dns_resolver_unreachable": ("dns_timeout=*",),
    "tls_mitm_untrusted": ("inspection=*",),
    "pki_revocation_tampered": ("pki_replaced=www.microsoft.com:80",),
    "pki_revocation_unreachable": ("pki_refused=www.microsoft.com:80",),
}
"""Findings by reason code, with the faults that cause them (docs/lab.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """A fault and the hosts it is on."""

    fault: Fault
    where: str

    @property
    def everywhere(self) -> bool:
        return self.where == "*"

    @property
    def expected(self) -> tuple[str, ...]:
        return (self.everywhere and self.fault.everywhere) or self.fault.reasons


def fault_cases() -> Iterator[FaultCase]:
    for fault in FAULTS.values():
        yield FaultCase(fault=fault, where=fault.example)
        if fault.everywhere and fault.example != "*":
            yield FaultCase(fault=fault, where="*")


CASES = {f"{case.fault.name}={case.where}": case for case in fault_cases()}
CATALOG = load_catalog()


async def sweep_with(*faults: str, only: tuple[str, ...] = ()) -> Sweep:
    async with Lab(catalog=CATALOG, faults=faults) as lab:
        return await run_once(replace(lab.settings(), only=only), CATALOG)


@pytest.fixture(scope="module")
def sweeps() -> Mapping[str, Sweep]:
    """One sweep per case. Servers and probes share a loop whose clocks stop with the process.

    The wall clock too: what egressd saw to pause it would probe again, and a late answer is then in time.
    """
    with asyncio.Runner(loop_factory=PausingLoop) as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", now)
        return runner.run(_all_sweeps())


async def _all_sweeps() -> dict[str, Sweep]:
    slots, found = asyncio.Semaphore(SIDE_BY_SIDE), dict[str, Sweep]()

    async def run(switch: str, case: FaultCase) -> None:
        host = case.where.partition(":")[0]
        wanted = () if case.everywhere else (host,)
        async with slots:
            found[switch] = await sweep_with(switch, only=(*wanted, *CONTROLS, *OTHER_HOSTS))

    async with asyncio.TaskGroup() as group:
        for switch, case in CASES.items():
            group.create_task(run(switch, case))
    return found


def hit_by(sweep: Sweep, case: FaultCase) -> frozenset[str]:
    """Return the ids of the targets that have the fault."""
    host, _, port = case.where.partition(":")
    targets = sweep.recording.plan.targets
    return frozenset(
        one.id for one in targets if glob_matches(host, one.host) and port in ("", str(one.port))
    )


def borrowing(sweep: Sweep, case: FaultCase) -> frozenset[str]:
    """Return the ids of the targets that were probed at the address of a host with the fault."""
    host = case.where.partition(":")[0]
    lent = {
        record.probe
        for record in sweep.recording.records
        if any(one.borrowed_from and glob_matches(host, one.borrowed_from) for one in record.trails)
    }
    return frozenset(
        target for probe in sweep.recording.plan.probes if probe.id in lent for target in probe.targets
    )


@pytest.mark.parametrize("switch", CASES)
def test_reason_codes(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """Each target with the fault has one of its reason codes, or none where none is listed.

    Where every host has it, it is enough that a verdict or a finding says so: some have no TLS.
    """
    sweep, case = sweeps[switch], CASES[switch]
    hit = hit_by(sweep, case)
    seen = {one.verdict.reason for one in sweep.verdicts if one.target in hit}
    assert seen, "no target has the fault"
    if case.everywhere:
        assert set(case.expected) & (seen | {one.reason for one in sweep.findings})
    else:
        assert seen <= set[str | None](case.expected or (None,))


@pytest.mark.parametrize("switch", [one for one, case in CASES.items() if case.fault.notes])
def test_informational_codes(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """They are beside the verdict of every target with the fault."""
    notes = set(CASES[switch].fault.notes)
    hit = [one for one in sweeps[switch].verdicts if one.target in hit_by(sweeps[switch], CASES[switch])]
    assert [one.target for one in hit if not notes <= set(one.verdict.also)] == []


@pytest.mark.parametrize("switch", [one for one in CASES if not CASES[one].everywhere])
def test_other_hosts_are_ok(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """Targets without the fault are ok; a random label is probed at the address of a host of its zone."""
    hit = hit_by(sweeps[switch], CASES[switch]) | borrowing(sweeps[switch], CASES[switch])
    others = {one.target: one.verdict.reason for one in sweeps[switch].verdicts if one.target not in hit}
    assert {target: reason for target, reason in others.items() if reason} == {}


async def test_no_faults() -> None:
    """Every target of the default profiles is ok, and there is no finding."""
    sweep = await sweep_with()
    assert {one.verdict.outcome for one in sweep.verdicts} == {Outcome.OK}
    assert sweep.findings == ()
    assert len(sweep.verdicts) > 100


async def test_demo() -> None:
    """Every fault of the demo is found at its hosts; the rest is ok."""
    sweep = await sweep_with(*DEMO)
    found = {code for one in sweep.verdicts for code in (one.verdict.reason, *one.verdict.also) if code}
    found.discard("service_reachable_http")
    expected = [FAULTS[switch.partition("=")[0]].reasons for switch in DEMO]
    assert [reasons for reasons in expected if not found & set(reasons)] == []
    assert found <= {reason for reasons in expected for reason in reasons}
    assert sum(one.verdict.outcome is Outcome.OK for one in sweep.verdicts) > 50


@pytest.mark.parametrize("reason", FINDINGS)
async def test_findings(reason: str) -> None:
    """A fault on several targets becomes one finding."""
    sweep = await sweep_with(*FINDINGS[reason])
    assert reason in {one.reason for one in sweep.findings}
