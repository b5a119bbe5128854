"""Findings that need several names, or what the catalog says of one, swept against the lab."""

from __future__ import annotations

from dataclasses import replace

from egressd.catalog import load_catalog
from egressd.engine.once import run_once
from egressd.lab import Lab
from egressd.model.verdict import Outcome, Sweep

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
