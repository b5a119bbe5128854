"""What was not proved is said, in every format, and before what follows from it."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.observation import DnsObservation, DnsQuery, Failure
from egressd.model.plan import Unsampled
from egressd.model.recording import ProbeRecord, Trail
from egressd.model.settings import Family
from egressd.model.verdict import Outcome, Sweep
from egressd.report.saved import from_json, to_document, to_json
from egressd.report.summary import by_profile, conclude, exit_code
from egressd.report.table import render_table
from egressd.report.ticket.csv import render_csv
from egressd.report.ticket.html import render_html
from egressd.report.ticket.junit import render_junit
from egressd.report.ticket.markdown import render_markdown
from tests.report.conftest import NOW, Row, make_sweep

HOSTS = ("mcr.microsoft.com", "login.windows.net", "management.azure.com", "crl3.digicert.com")
WAITING = (
    Unsampled(endpoint="by-region", pattern="<region>.dp.x.net", need=Need.REQUIRED, why="needs `region`",
              lacks=("region",)),
    Unsampled(endpoint="vault", pattern="<key_vault>.vault.azure.net", need=Need.REQUIRED,
              why="needs values: key_vault", lacks=("key_vault",)),
    Unsampled(endpoint="maybe", pattern="*.maybe.net", need=Need.OPTIONAL, why="needs `region`",
              lacks=("region",)),
)  # fmt: skip


def lookup(name: str, *answers: str, failure: Failure | None = Failure.NXDOMAIN) -> DnsObservation:
    failure = None if answers else failure
    query = DnsQuery(transport="udp", edns=True, elapsed_ms=2.0, failure=failure, answers=answers)
    return DnsObservation(
        started=NOW, elapsed_ms=2.0, name=name, type="A", resolver="10.0.0.53:53", queries=(query,),
        failure=failure, answers=answers,
    )  # fmt: skip


def dns_sweep(*lookups: DnsObservation, own: frozenset[str] = frozenset()) -> Sweep:
    """Make a sweep of which every probe ended with its lookup."""
    rows = [Row(host=one.name, outcome=Outcome.BLOCKED, reason="dns_nxdomain_filtered") for one in lookups]
    sweep = make_sweep(*rows)
    records = tuple(
        ProbeRecord(
            probe=f"p{number}",
            trails=(
                Trail(
                    source="default", family=Family.IPV4, address=None, path="direct", observations=(one,),
                    resolver=one.resolver,
                ),
            ),
        )
        for number, one in enumerate(lookups)
    )  # fmt: skip
    plan = sweep.recording.plan
    targets = tuple(replace(one, owned=one.host in own) for one in plan.targets)
    recording = replace(sweep.recording, records=records, plan=replace(plan, targets=targets))
    return replace(sweep, recording=recording)


def test_no_public_dns_is_said_first() -> None:
    """Before any finding, in every format for people, and in the JSON summary."""
    sweep = dns_sweep(*(lookup(host) for host in HOSTS))

    assert render_table(sweep).startswith(
        "This host has no public DNS: none of 4 public names has an address"
    )
    assert conclude(sweep).startswith("FAIL: this host has no public DNS: none of 4 public names")
    assert "no public DNS" in render_markdown(sweep).split("##")[0]
    html = render_html(sweep)
    assert html.index("no public DNS") < html.index("<h2>")
    summary = to_document(sweep)["summary"]
    assert "10.0.0.53:53: 4 NXDOMAIN" in summary["notices"][0]
    assert "no public DNS" in summary["conclusion"]


@pytest.mark.parametrize(
    "lookups",
    [
        [lookup(HOSTS[0]), lookup(HOSTS[1])],
        [lookup(f"{name}.azure.com") for name in ("a", "b", "c", "d")],
        [*(lookup(host) for host in HOSTS[:3]), lookup(HOSTS[3], "203.0.113.9")],
    ],
    ids=["two names", "one domain", "one answer"],
)
def test_a_filter_is_no_missing_dns(lookups: list[DnsObservation]) -> None:
    """Where a name is answered, or only names of one domain were asked, nothing is said of DNS as a whole."""
    assert "public DNS" not in conclude(dns_sweep(*lookups))


def test_own_names_are_not_public() -> None:
    """A private zone that answers its own names does not make public DNS."""
    private = lookup("node.corp.test", "10.1.2.3")
    own = frozenset({"node.corp.test", "a.corp.test", "b.other.test"})
    lacking = dns_sweep(*(lookup(host) for host in HOSTS), private, own=own)
    unknown = dns_sweep(private, lookup("a.corp.test"), lookup("b.other.test"), own=own)

    assert "no public DNS: none of 4" in conclude(lacking)
    assert "public DNS" not in conclude(unknown)


def test_what_was_not_probed_is_said_in_every_format() -> None:
    """Exit code 3, with the option that is missing; optional endpoints do not count."""
    sweep = make_sweep(Row(), unsampled=WAITING)

    assert exit_code(sweep) is ExitCode.UNKNOWN
    said = "2 required endpoints not probed for want of --region, values.key_vault"
    assert said in conclude(sweep)
    assert said in " ".join(render_table(sweep).split())
    assert "for want of --region" in render_markdown(sweep)
    assert "for want of --region" in render_html(sweep)
    summary = to_document(sweep)["summary"]
    assert summary["exit_code"] == 3
    assert summary["required_not_probed"] == ["by-region", "vault"]
    assert summary["missing_options"] == ["--region", "values.key_vault"]
    suite = ET.fromstring(render_junit(sweep))
    assert suite.attrib["errors"] == "2"
    assert [one.attrib["message"] for one in suite.iter("error")] == [
        "required, and not probed for want of --region: needs `region`",
        "required, and not probed for want of values.key_vault: needs values: key_vault",
    ]
    rows = list(csv.DictReader(io.StringIO(render_csv(sweep))))
    assert [(one["endpoint"], one["outcome"], one["reason"]) for one in rows[1:]] == [
        ("by-region", "unknown", "not_probed"),
        ("vault", "unknown", "not_probed"),
    ]
    assert "--region" in rows[1]["advice"]


def test_a_wildcard_without_a_host_names_the_key_that_gives_one() -> None:
    """And which host it takes."""
    row = Unsampled(
        endpoint="blobs", pattern="*.blob.x.net", need=Need.REQUIRED, why="no host", lacks=("endpoints",)
    )
    sweep = make_sweep(Row(), unsampled=(row,))

    assert exit_code(sweep) is ExitCode.UNKNOWN
    assert "1 required endpoint not probed for want of endpoints (exit code 3)" in conclude(sweep)
    (said,) = to_document(sweep)["summary"]["notices"]
    assert "not probed for want of endpoints (a host of *.blob.x.net), so nothing is proved of it." in said


def test_what_nothing_can_probe_is_named() -> None:
    """It does not decide, as no option would change it, and no report passes it over."""
    row = Unsampled(endpoint="rpc", pattern="dp", need=Need.REQUIRED, why="a range of ports")
    sweep = make_sweep(Row(), unsampled=(row,))

    assert conclude(sweep) == (
        "PASS: 1 required target, all reachable; required and not probed from here: rpc (exit code 0)"
    )


def test_own_endpoints_are_in_every_summary() -> None:
    """They have no profile, and are counted all the same."""
    sweep = make_sweep(Row(), Row(host="sql.corp.test", profiles=(), outcome=Outcome.DOWN))

    assert by_profile(sweep)["own endpoints"].down == 1
    assert to_document(sweep)["summary"]["by_profile"]["own endpoints"]["targets"] == 1
    for text in (render_table(sweep), render_markdown(sweep), render_html(sweep)):
        assert "own endpoints" in text


def test_a_report_without_these_facts_is_read() -> None:
    """Older versions did not write them."""
    document = json.loads(to_json(make_sweep(Row(), unsampled=WAITING)))
    for name in ("conclusion", "exit_code", "notices", "required_not_probed", "missing_options"):
        del document["summary"][name]

    assert from_json(json.dumps(document)).plan.unsampled == WAITING
