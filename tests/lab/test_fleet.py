"""Several sites swept against the lab, each with the faults that it has by then, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from egressd.attribution import judge
from egressd.catalog import load_catalog
from egressd.engine.once import run_once
from egressd.fleet import Fleet, FleetReport, FleetVerdictKind, judge_fleet, site_state
from egressd.lab import Lab
from egressd.model.recording import Recording
from egressd.model.verdict import Blame, Sweep
from egressd.wording import is_stamp, stamp
from tests.laws.worlds import mapped

CATALOG = load_catalog()
NAME = "gbl.his.arc.azure.com"
ONLY = (NAME, "management.azure.com", "login.microsoftonline.com")
MINUTES = (0.0, 20.0, 21.0, 40.0, 60.0)
"""When each site is swept, after the first sweep."""


async def recorded(fault: str | None) -> Recording:
    """Sweep a part of the catalog over real sockets."""
    async with Lab(catalog=CATALOG, faults=(fault,) if fault else ()) as lab:
        sweep = await run_once(replace(lab.settings(), only=ONLY), CATALOG)
    return sweep.recording


def moved(recording: Recording, site: str, minutes: float) -> Sweep:
    """Return what was recorded as a sweep of a site, so many minutes after the first one."""
    begin = datetime.fromisoformat("2026-11-20T03:00:00.000Z") + timedelta(minutes=minutes)
    by = begin - datetime.fromisoformat(recording.started)

    def later(value: Any) -> Any:
        own = isinstance(value, str) and is_stamp(value) and value[:4] == recording.started[:4]
        return stamp(datetime.fromisoformat(value) + by) if own else value

    vantage = replace(recording.vantage, site=site, host=site, clock_offset_seconds=None)
    return judge(replace(mapped(recording, later), id=f"{site} {minutes}", vantage=vantage))


async def fleet_with(fault: str, since: Mapping[str, Sequence[float]]) -> FleetReport:
    """Return the report of sites with the minutes at which each had a fault; they work at all others."""
    well, broken = await recorded(None), await recorded(fault)
    sites = [
        site_state([moved(broken if at in bad else well, site, at) for at in MINUTES], site)
        for site, bad in since.items()
    ]
    return judge_fleet(Fleet(at="2026-11-20T04:01:00.000Z", sites=tuple(sites)))


async def test_a_rule_that_is_rolled_out() -> None:
    """The name is reset at one site after another, and reached from the rest: one change is behind it."""
    report = await fleet_with(
        f"tls_reset={NAME}", {"a": MINUTES[1:], "b": MINUTES[3:], "c": MINUTES[4:], "d": (), "e": ()}
    )
    (verdict,) = report.verdicts
    assert (verdict.kind, verdict.code) == (FleetVerdictKind.RULE_ROLLOUT, "site_change_correlated")
    assert verdict.reason in ("tls_sni_reset", "tls_reset_after_hello")
    assert ([one.site for one in verdict.onsets], verdict.working) == (["a", "b", "c"], ("d", "e"))
    assert verdict.blame is Blame.FIREWALL_L7


async def test_a_service_that_is_down_for_all() -> None:
    """The same fault at every site in the same minute: the service before any firewall."""
    bad = MINUTES[2:]
    report = await fleet_with(f"tcp_refused={NAME}", {"a": bad, "b": bad, "c": bad, "d": bad})
    (verdict,) = report.verdicts
    assert (verdict.kind, verdict.blame) == (FleetVerdictKind.SERVICE_DOWN, Blame.AZURE_SERVICE)
    assert verdict.targets == (f"{NAME}:443",)
