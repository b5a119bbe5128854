"""What a machine updates from, checked with the command line against a simulated Microsoft."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.test_app import egressd, run_in_process


def swept(profile: str, *words: str) -> dict[str, Any]:
    """Sweep a profile of the lab once."""
    done = egressd("lab", "--once", "--profile", profile, "--region", "eastus", "--format", "json", *words)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def verdicts(report: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["id"]: (one["outcome"], one["reason"]) for one in report["targets"] if one["outcome"] != "ok"}


DENIED = "service_403"


@pytest.mark.parametrize(
    ("profile", "faults", "found"),
    [
        (
            "windows-update",
            {"http_range_ignored": "ctldl.windowsupdate.com", DENIED: "fe3.delivery.mp.microsoft.com"},
            {"wu-trust-lists/ctldl.windowsupdate.com:80": ("degraded", "http_range_blocked")},
        ),
        (
            "wsus",
            {"http_block_fortinet": "dl.delivery.mp.microsoft.com", DENIED: "sws.update.microsoft.com"},
            {"ws-delivery/dl.delivery.mp.microsoft.com:80": ("blocked", "http_block_page")},
        ),
        ("linux-repositories", {DENIED: "cdn.redhat.com"}, {}),
    ],
)
def test_what_breaks_updates(profile: str, faults: dict[str, str], found: dict[str, tuple[str, str]]) -> None:
    """A denial by the right server is a pass, in clear text as well, where no product's page has its status.

    A proxy that drops the Range header breaks downloads; a list that Windows fetches as well shows it.
    """
    words = [word for fault, host in faults.items() for word in ("--fault", f"{fault}={host}")]
    assert verdicts(swept(profile, *words)) == found


@pytest.mark.parametrize(
    ("features", "there", "absent"),
    [
        (
            ("linux", "ubuntu"),
            {"lx-microsoft", "lx-ubuntu-archive"},
            {"wu-", "um-wsus", "lx-rhel", "ws-", "mcm-"},
        ),
        (("linux", "rhel"), {"lx-microsoft", "lx-rhel-content"}, {"wu-", "um-wsus", "lx-ubuntu", "lx-rhui"}),
        (
            ("windows-update",),
            {"wu-client", "wu-content", "wu-revocation"},
            {"lx-", "um-", "wu-optimization-au"},
        ),
        (("windows", "wsus"), {"um-wsus-http", "um-wsus-https"}, {"lx-", "wu-", "cm-licence"}),
        (
            ("windows", "windows-update", "hotpatch"),
            {"cm-licence", "cm-installer-windows"},
            {"cm-installer-linux"},
        ),
        (("linux", "rhui"), {"lx-rhui"}, {"lx-rhel", "wu-"}),
    ],
)
def test_rules_of_one_source_of_updates(features: tuple[str, ...], there: set[str], absent: set[str]) -> None:
    """Whoever says what is in use asks for those rules, required, and for none of another system's."""
    words = [word for name in features for word in ("--feature", name)]
    place = ("--profile", "update-manager", "--region", "eastus")
    done = run_in_process("catalog", "export", *place, "--format", "json", *words)
    assert done.exit_code == 0, done.output
    rules = json.loads(done.stdout)["rules"]
    rows = {row for rule in rules for row in rule["endpoints"]}
    assert there <= rows
    assert not [row for row in rows for start in absent if row.startswith(start)]
