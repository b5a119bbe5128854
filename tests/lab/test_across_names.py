"""Findings that need several names, or what the catalog says of one, swept against the lab."""

from __future__ import annotations

from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.engine.once import run_once
from egressd.errors import ExitCode
from egressd.lab import Lab
from egressd.model.endpoint import Samples
from egressd.model.verdict import Blame, Outcome, Sweep
from egressd.report.summary import exit_code

CATALOG = load_catalog()


async def sweep_with(fault: str, *only: str) -> Sweep:
    """Sweep a part of the catalog against a lab with one fault."""
    async with Lab(catalog=CATALOG, faults=(fault,)) as lab:
        return await run_once(replace(lab.settings(), only=only), CATALOG)


async def test_wildcard_rule_incomplete() -> None:
    """The listed names of a wildcard pass and a random label is reset: the wildcard rule is missing."""
    sweep = await sweep_with("tls_reset=egressd-probe-*", "*.his.arc.azure.com", "management.azure.com")

    (finding,) = [one for one in sweep.findings if one.reason == "site_wildcard_rule_incomplete"]
    assert "*.his.arc.azure.com" in finding.title


async def test_unexpected_private_endpoint() -> None:
    """A private endpoint for a name that is public only: it works, and is DEGRADED."""
    sweep = await sweep_with(
        "dns_private_link=mcr.microsoft.com", "mcr.microsoft.com", "management.azure.com"
    )

    said = {one.target: one.verdict for one in sweep.verdicts if "/mcr.microsoft.com:" in one.target}
    assert {one.reason for one in said.values()} == {"dns_private_link_unexpected"}
    assert {one.outcome for one in said.values()} == {Outcome.DEGRADED}


async def test_absent_derived_name() -> None:
    """A name that egressd derived does not exist: nobody is accused, and it does not decide."""
    guess = "northpole.his.arc.azure.com"
    (known,) = [one for one in CATALOG.endpoints if one.id == "cm-identity"]
    samples = Samples(documented=("gbl.his.arc.azure.com",), derived=(guess,))
    catalog = replace(CATALOG, endpoints=(replace(known, samples=samples),))
    async with Lab(catalog=catalog, faults=(f"dns_nxdomain={guess}",)) as lab:
        sweep = await run_once(replace(lab.settings("connected-machine"), overrides=()), catalog)

    said = {one.target: one.verdict for one in sweep.verdicts}
    verdict = said[f"cm-identity/{guess}:443"]
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, "dns_derived_name_absent")
    assert verdict.blame is Blame.EGRESSD_ENV
    assert exit_code(sweep) is ExitCode.OK
    assert sweep.findings == ()
