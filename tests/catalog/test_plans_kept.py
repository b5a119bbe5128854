"""The plans of the first three profiles did not change, but for corrections of their rows.

`plans-before.json` is what was planned before other products came: per profile and cloud, a line for each
target and for each row without one, and for each region what came and went.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from egressd.catalog import load_catalog
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud
from egressd.model.settings import Resolver, Settings
from egressd.planning import make_plan

BEFORE: Mapping[str, Mapping[str, object]] = json.loads(
    (Path(__file__).parent / "plans-before.json").read_text(encoding="utf-8")
)


CORRECTIONS: Mapping[str, tuple[str, ...]] = {
    # A name that no document shows for the region may not exist: it decides nothing any more.
    "the relay's short name is documented for East US alone": (
        "-*-l1.servicebus.windows.net:443 templated *",
        "+*-l1.servicebus.windows.net:443 derived optional *",
    ),
    "no document shows a host of Windows Admin Center by region": (
        "-cm-admin-center/* templated *",
        "+cm-admin-center/* derived optional *",
    ),
    "SQL Server enabled by Azure Arc is documented for 27 regions": (
        "-cm-sql-data/* templated *",
        "+cm-sql-data/* derived optional *",
    ),
    "the label of the data plane is documented for eight regions": (
        "-rb-data-plane/* templated *",
        "+rb-data-plane/* derived optional *",
    ),
    "the region's own host of diagnostics is documented for eight regions": (
        "-rb-diagnostics-warm/*-shared.* templated *",
        "+rb-diagnostics-warm/*-shared.* derived optional *",
    ),
    # Rows of the machine.
    "SSH and Windows Admin Center count alone": (
        "-cm-service-bus/* if SSH or Windows Admin Center is used from Azure",
        "+cm-service-bus/* if SSH is used from Azure",
        "+cm-admin-center-relay/*",
    ),
    "the lists of US Government and 21Vianet had the short links, too": (
        "+cm-installer-links/aka.ms:443 exact optional / machine",
    ),
    "two documents name two hosts of sign-in in 21Vianet: one of them is enough": (
        "-cm-entra-partner-online-china/* conditional *",
        "+cm-entra-partner-online-china/* required *",
    ),
    "the gateway's page names the vault of the Key Vault extension": (
        "+cm-key-vault* unsampled conditional *.vault.*",
    ),
    # Rows of the bridge in US Government.
    "the list of Arc-enabled Kubernetes has them, as in the public cloud": (
        "+rb-guest-notification-hosts-gov/* random optional *",
        "+rb-cluster-connect-gov/usgovvirginia.obo.arc.azure.us:8084 exact conditional *",
    ),
    "Microsoft's checker calls hosts of the public cloud critical": (
        "+rb-cli-installer-public-gov/* conditional *",
        "+rb-cli-extension-public-gov/* conditional *",
    ),
    "the list had them for two weeks": (
        "+rb-diagnostics-control-gov-first/* optional *",
        "+rb-diagnostics-warm-gov-first/* optional *",
    ),
    "Microsoft's checker names hosts of two wildcards": (
        "-rb-diagnostics-hot-gov unsampled *",
        "+rb-diagnostics-hot-gov/*",
        "-rb-diagnostics-metrics-gov unsampled *",
        "+rb-diagnostics-metrics-gov/*",
    ),
    # Rows of SCVMM.
    "the page of SCVMM lists the agent in virtual machines": (
        "+gm-* conditional *machine if guest management *",
        "+gm-* random optional *",
    ),
    "the page on recovery lists its ports": ("+sc-recovery-* unsampled conditional <appliance_vm>",),
}
"""Why lines may come (`+`) or go (`-`). The change log names each."""

PATTERNS = tuple(pattern for patterns in CORRECTIONS.values() for pattern in patterns)


@cache
def catalog() -> Catalog:
    return load_catalog()


def planned(profile: str, cloud: str, region: str | None) -> set[str]:
    """Return today's lines."""
    settings = Settings(
        region=region,
        cloud=Cloud(cloud),
        profiles=(profile,),
        resolvers=(Resolver(name="192.0.2.1", address="192.0.2.1"),),
    )
    plan = make_plan(catalog(), settings, label="zz")
    targets = {
        f"{one.id} {one.sample} {one.need} {one.path} {','.join(one.roles)}"
        + (f" if {one.condition}" if one.condition else "")
        for one in plan.targets
    }
    return targets | {f"{one.endpoint} unsampled {one.need} {one.pattern}" for one in plan.unsampled}


def plans() -> Iterator[tuple[str, str, str | None, set[str]]]:
    """Yield profile, cloud, region and lines of every plan there was."""
    for key, group in BEFORE.items():
        profile, cloud = key.split()
        base = set(group["without a region"])  # type: ignore[call-overload]  # as the file is written
        yield profile, cloud, None, base
        for region, changes in group["regions"].items():  # type: ignore[attr-defined]
            yield profile, cloud, region, base - set(changes["went"]) | set(changes["came"])


@cache
def changes() -> tuple[tuple[str, str], ...]:
    """Return what changed: where, and the line with its sign."""
    found = []
    for profile, cloud, region, before in plans():
        now = planned(profile, cloud, region)
        where = f"{profile} {cloud} {region}"
        found += [(where, f"-{line}") for line in sorted(before - now)]
        found += [(where, f"+{line}") for line in sorted(now - before)]
    return tuple(found)


def test_only_corrections_changed_a_plan() -> None:
    """A target, need, path or role that came, went or differs is explained, or the plan is wrong."""
    unexplained = [
        f"{where}: {line}"
        for where, line in changes()
        if not any(fnmatchcase(line, pattern) for pattern in PATTERNS)
    ]
    assert unexplained == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_correction_is_one(pattern: str) -> None:
    """An explanation that explains nothing would hide the next mistake."""
    assert any(fnmatchcase(line, pattern) for _, line in changes())
