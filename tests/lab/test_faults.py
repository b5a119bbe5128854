"""Every fault, seen by the real `--once`: egressd gives the reason the lab's table promises.

The sweeps run side by side on one loop, a few hosts each; then each fault is judged by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from egressd.catalog import load_catalog
from egressd.drive import run_once
from egressd.lab import DEMO, FAULTS, Fault, Lab
from egressd.model.verdict import Outcome, Sweep
from egressd.planning.pattern import glob_matches
from tests.patience import PatientLoop

pytestmark = pytest.mark.timeout(1800)
"""The first test of a process waits for all the sweeps, on a busy machine for minutes."""
SIDE_BY_SIDE = 4
CONTROLS = ("mcr.microsoft.com", "graph.microsoft.com", "packages.microsoft.com", "*.his.arc.azure.com")
PLAIN = ("time.windows.com", "www.microsoft.com", "msk8s.b.tlu.*")

RECIPES: Mapping[str, tuple[str, ...]] = {
    "site_wildcard_rule_incomplete": ("tls_reset=egressd-probe-*",),
    "site_suffix_rule_missing": ("tls_reset=*.his.arc.azure.com",),
    "site_port80_blocked": ("tcp_silent=*:80",),
    "tcp_egress_all_blocked": ("tcp_silent=*",),
    "dns_resolver_unreachable": ("dns_timeout=*",),
    "tls_mitm_untrusted": ("inspection=*",),
    "pki_revocation_tampered": ("pki_replaced=www.microsoft.com:80",),
    "pki_revocation_unreachable": ("pki_refused=www.microsoft.com:80",),
}
"""What several targets show together: the finding, and the faults that make it (docs/lab.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One fault and where it is on."""

    fault: Fault
    where: str

    @property
    def everywhere(self) -> bool:
        return self.where == "*"

    @property
    def promised(self) -> tuple[str, ...]:
        return (self.everywhere and self.fault.everywhere) or self.fault.reasons


def scenes() -> Iterator[Scene]:
    for fault in FAULTS.values():
        yield Scene(fault=fault, where=fault.example)
        if fault.everywhere and fault.example != "*":
            yield Scene(fault=fault, where="*")


SCENES = {f"{scene.fault.name}={scene.where}": scene for scene in scenes()}
CATALOG = load_catalog()


async def sweep_with(*faults: str, only: tuple[str, ...] = ()) -> Sweep:
    async with Lab(catalog=CATALOG, faults=faults) as lab:
        return await run_once(replace(lab.settings(), only=only), CATALOG)


@pytest.fixture(scope="module")
def sweeps() -> Mapping[str, Sweep]:
    """One sweep per scene; who answers shares the loop with who asks, so neither may be hurried."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(_all_sweeps())


async def _all_sweeps() -> dict[str, Sweep]:
    slots, found = asyncio.Semaphore(SIDE_BY_SIDE), dict[str, Sweep]()

    async def run(switch: str, scene: Scene) -> None:
        host = scene.where.partition(":")[0]
        wanted = () if scene.everywhere else (host,)
        async with slots:
            found[switch] = await sweep_with(switch, only=(*wanted, *CONTROLS, *PLAIN))

    async with asyncio.TaskGroup() as group:
        for switch, scene in SCENES.items():
            group.create_task(run(switch, scene))
    return found


def hit_by(sweep: Sweep, scene: Scene) -> frozenset[str]:
    """Return the ids of the targets that have the fault."""
    host, _, port = scene.where.partition(":")
    targets = sweep.recording.plan.targets
    return frozenset(
        one.id for one in targets if glob_matches(host, one.host) and port in ("", str(one.port))
    )


@pytest.mark.parametrize("switch", SCENES)
def test_egressd_gives_the_promised_reason(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """Each target with the fault has one of the promised reasons, or none where none is promised.

    Where every host has it, it is enough that a verdict or a finding says so: some speak no TLS.
    """
    sweep, scene = sweeps[switch], SCENES[switch]
    hit = hit_by(sweep, scene)
    seen = {one.verdict.reason for one in sweep.verdicts if one.target in hit}
    assert seen, "no target has the fault"
    if scene.everywhere:
        assert set(scene.promised) & (seen | {one.reason for one in sweep.findings})
    else:
        assert seen <= set[str | None](scene.promised or (None,))


@pytest.mark.parametrize("switch", [one for one, scene in SCENES.items() if scene.fault.notes])
def test_egressd_notes_what_is_promised(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """Informational codes stand beside the verdict of every target that has the fault."""
    notes = set(SCENES[switch].fault.notes)
    hit = [one for one in sweeps[switch].verdicts if one.target in hit_by(sweeps[switch], SCENES[switch])]
    assert [one.target for one in hit if not notes <= set(one.verdict.also)] == []


@pytest.mark.parametrize("switch", [one for one in SCENES if not SCENES[one].everywhere])
def test_a_fault_leaves_other_hosts_alone(sweeps: Mapping[str, Sweep], switch: str) -> None:
    """What does not have the fault is ok, whatever happens beside it."""
    hit = hit_by(sweeps[switch], SCENES[switch])
    others = {one.target: one.verdict.reason for one in sweeps[switch].verdicts if one.target not in hit}
    assert {target: reason for target, reason in others.items() if reason} == {}


async def test_a_lab_without_faults_is_all_ok() -> None:
    """Every target of every default profile, and no finding."""
    sweep = await sweep_with()
    assert {one.verdict.outcome for one in sweep.verdicts} == {Outcome.OK}
    assert sweep.findings == ()
    assert len(sweep.verdicts) > 100


async def test_the_demo_shows_what_it_switches_on() -> None:
    """Every fault of the demo is found at its hosts; the rest works."""
    sweep = await sweep_with(*DEMO)
    found = {code for one in sweep.verdicts for code in (one.verdict.reason, *one.verdict.also) if code}
    found.discard("service_reachable_http")
    promised = [FAULTS[switch.partition("=")[0]].reasons for switch in DEMO]
    assert [reasons for reasons in promised if not found & set(reasons)] == []
    assert found <= {reason for reasons in promised for reason in reasons}
    assert sum(one.verdict.outcome is Outcome.OK for one in sweep.verdicts) > 50


@pytest.mark.parametrize("reason", RECIPES)
async def test_recipes(reason: str) -> None:
    """What several targets show together becomes one finding."""
    sweep = await sweep_with(*RECIPES[reason])
    assert reason in {one.reason for one in sweep.findings}
