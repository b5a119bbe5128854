"""Choices of endpoints, of which one that works is enough, and endpoints that nobody could probe."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.catalog import load_catalog
from egressd.errors import ExitCode
from egressd.metrics.once import render_prometheus
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.observation import Failure, Observation
from egressd.model.plan import Unsampled
from egressd.model.verdict import Outcome, Sweep
from egressd.report.findings import reported_findings
from egressd.report.saved import from_json, to_json
from egressd.report.summary import code_of_targets, conclude, exit_code
from egressd.report.table import render_table
from egressd.report.ticket.csv import render_csv
from egressd.report.ticket.junit import render_junit
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail

CATALOG = load_catalog()
CHOICE = "wsus/port"
SERVER = "wsus.corp.example"
ADDRESS = "203.0.113.60"


def refused(host: str = SERVER, port: int = 8530) -> tuple[Observation, ...]:
    return (dns(ADDRESS, name=host), tcp(Failure.REFUSED, address=ADDRESS, port=port))


def add(
    site: Site, port: int, *, works: bool, host: str = SERVER, one_of: str | None = CHOICE, **more: object
) -> str:
    """Add one alternative, a TCP port of a server."""
    seen = (dns(ADDRESS, name=host), tcp(address=ADDRESS, port=port)) if works else refused(host, port)
    known: dict[str, object] = {"protocol": Protocol.TCP, "row": f"ws-{port}", "one_of": one_of}
    return site.add(trail(*seen), host=host, port=port, **known | more)  # type: ignore[arg-type]


def site(*, working: tuple[int, ...] = (), failing: tuple[int, ...] = ()) -> Site:
    made = Site()
    for port in working:
        add(made, port, works=True)
    for port in failing:
        add(made, port, works=False)
    made.add(good("works.example", "203.0.113.80"), host="works.example")
    return made


def judged(made: Site) -> Sweep:
    return judge(made.recording())


def unprobed(*lacks: str, need: Need = Need.REQUIRED, one_of: str | None = None) -> Unsampled:
    return Unsampled(
        endpoint="b-row", pattern="{x}.example", need=need, why="no value", lacks=lacks, one_of=one_of
    )


def test_one_that_works_is_enough() -> None:
    """The others fail, are told as not needed, and decide nothing."""
    sweep = judged(site(working=(8531,), failing=(8530, 80)))

    assert exit_code(sweep) is ExitCode.OK
    assert conclude(sweep) == "PASS: 2 required targets, all reachable (exit code 0)"
    text = render_table(sweep)
    assert "NOT NEEDED" in text
    assert "not needed: alternative ws-8531 works" in text
    assert "FAILING" not in text
    assert all(one.required == 0 for one in reported_findings(sweep))


def test_what_is_not_in_use_is_told_apart_from_what_has_no_sample() -> None:
    """A reader sees which rows were left out on purpose."""
    made = site(working=(8531,))
    idle = replace(unprobed(need=Need.CONDITIONAL), why="feature sql is not in use", feature="sql")
    made.unsampled = (idle, unprobed("region"))
    text = render_table(judged(made))

    assert "NOT IN USE, and so not probed\n  - feature sql is not in use: b-row" in text
    assert (
        "NOT PROBED: no sample host is known for these endpoints\n  - no value: b-row; all required" in text
    )


def test_formats_say_which_alternative_works() -> None:
    """JSON, CSV, JUnit and metrics: a program sees that it does not decide."""
    sweep = judged(site(working=(8531,), failing=(8530,)))

    targets = {one["endpoint"]: one for one in json.loads(to_json(sweep))["targets"]}
    assert (targets["ws-8530"]["one_of"], targets["ws-8530"]["not_needed"]) == (CHOICE, "ws-8531")
    assert targets["ws-8531"]["not_needed"] is None
    cells = {one["endpoint"]: one["not_needed"] for one in csv.DictReader(io.StringIO(render_csv(sweep)))}
    assert (cells["ws-8530"], cells["ws-8531"]) == ("ws-8531", "")
    suite = ET.fromstring(render_junit(sweep))
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "1")
    (skipped,) = suite.iter("skipped")
    assert "not needed, alternative ws-8531 works" in str(skipped.get("message"))
    exposed = render_prometheus(sweep, CATALOG)
    assert 'egressd_profile_up{profile="connected-machine"} 1' in exposed
    assert f'egressd_target_not_needed{{source="default",target="ws-8530/{SERVER}:8530"}} 1' in exposed


def test_none_that_works_is_one_finding_that_names_the_choice() -> None:
    """All alternatives fail: one finding, with what would be enough."""
    sweep = judged(site(failing=(8530, 8531)))

    assert exit_code(sweep) is ExitCode.FAILED
    (finding,) = sweep.findings
    assert finding.reason == "site_choice_unreachable"
    assert f"one of {SERVER}:8530, {SERVER}:8531 is needed" in finding.title
    assert set(finding.targets) == {f"ws-8530/{SERVER}:8530", f"ws-8531/{SERVER}:8531"}
    assert "Open one of" in finding.advice
    assert 'egressd_profile_up{profile="connected-machine"} 0' in render_prometheus(sweep, CATALOG)


def test_an_alternative_that_nobody_tried_may_work() -> None:
    """A range of ports is not probed: that the other one fails proves nothing yet."""
    made = site(failing=(443,))
    made.unsampled = (replace(unprobed(one_of=CHOICE), endpoint="ws-range"),)
    sweep = judged(made)

    assert exit_code(sweep) is ExitCode.UNKNOWN
    assert sweep.findings == ()


def test_what_is_not_in_use_is_no_alternative() -> None:
    """A row whose feature is not in use was left out on purpose: the others must do."""
    made = site(failing=(443,))
    made.unsampled = (replace(unprobed(one_of=CHOICE), endpoint="ws-range", feature="ranges"),)

    assert exit_code(judged(made)) is ExitCode.FAILED


def test_a_row_works_when_all_its_names_do() -> None:
    """One of two documented names of an alternative fails: that row does not work."""
    made = site(failing=(8530,))
    add(made, 8531, works=True, host="one.corp.example", row="ws-two")
    add(made, 8531, works=False, host="two.corp.example", row="ws-two")

    assert exit_code(judged(made)) is ExitCode.FAILED


@pytest.mark.parametrize("kind", [SampleKind.DERIVED, SampleKind.RANDOM])
def test_what_need_not_exist_does_not_spoil_an_alternative(kind: SampleKind) -> None:
    """A guess below the same row fails; the row's documented name works, and the row with it."""
    made = site(working=(8531,), failing=(8530,))
    add(made, 8531, works=False, host="guess.corp.example", sample=kind, need=Need.OPTIONAL)
    sweep = judged(made)

    assert exit_code(sweep) is ExitCode.OK
    guess = next(one for one in json.loads(to_json(sweep))["targets"] if one["host"] == "guess.corp.example")
    assert guess["not_needed"] is None, "its own row is no alternative to it"


def test_choices_of_two_products_are_two() -> None:
    """What works for one product is no alternative for the other."""
    made = site(working=(8531,))
    add(made, 8530, works=False, one_of="configuration-manager/port")

    assert exit_code(judged(made)) is ExitCode.FAILED


def test_each_source_needs_one_of_its_own() -> None:
    """An alternative that works from elsewhere does not help this source."""
    made = site(working=(8531,), failing=(8530,))
    from_b = replace(trail(*refused(port=8531)), source="b")
    made.add(from_b, host=SERVER, port=8531, protocol=Protocol.TCP, row="ws-8531", source="b", one_of=CHOICE)
    from_b = replace(trail(*refused(port=8530)), source="b")
    made.add(from_b, host=SERVER, port=8530, protocol=Protocol.TCP, row="ws-8530", source="b", one_of=CHOICE)
    sweep = judged(made)

    assert exit_code(sweep) is ExitCode.FAILED
    assert {one["not_needed"] for one in json.loads(to_json(sweep))["targets"]} == {None}


def test_a_degraded_alternative_is_one_that_works() -> None:
    """It can be used; with --strict it is what counts."""
    made = site(failing=(8530,))
    slow = trail(dns(ADDRESS, name=SERVER), tcp(address=ADDRESS, port=8531))
    lost = trail(dns(ADDRESS, name=SERVER, v6=False), tcp(Failure.REFUSED, address="203.0.113.61", port=8531))
    made.add(slow, lost, host=SERVER, port=8531, protocol=Protocol.TCP, row="ws-8531", one_of=CHOICE)
    sweep = judged(made)
    strict = replace(
        sweep, recording=replace(sweep.recording, plan=replace(sweep.recording.plan, strict=True))
    )

    outcomes = {one.target: one.verdict.outcome for one in sweep.verdicts}
    assert outcomes[f"ws-8531/{SERVER}:8531"] is Outcome.DEGRADED
    assert (exit_code(sweep), exit_code(strict)) == (ExitCode.OK, ExitCode.FAILED)


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        (unprobed("region"), ExitCode.UNKNOWN, "1 required endpoint not probed for want of --region"),
        (unprobed("key_vault", "region"), ExitCode.UNKNOWN, "for want of values.key_vault, --region"),
        (unprobed(), ExitCode.OK, ""),
        (unprobed("region", need=Need.CONDITIONAL), ExitCode.OK, ""),
        (unprobed("region", one_of=CHOICE), ExitCode.OK, ""),
        (unprobed("region", one_of="other/choice"), ExitCode.UNKNOWN, "for want of --region"),
    ],
)
def test_what_the_operator_could_have_said(row: Unsampled, code: ExitCode, said: str) -> None:
    """A required endpoint waits for a value: nothing is proved bad, and not all is known."""
    made = site(working=(8531,))
    made.unsampled = (row,)
    sweep = judged(made)

    assert exit_code(sweep) is code
    assert code_of_targets(sweep) is ExitCode.OK
    assert said in conclude(sweep)


def test_a_failure_outweighs_what_is_missing() -> None:
    """Exit code 1: something is proved bad, and the line says both."""
    made = site()
    add(made, 8530, works=False, one_of=None)
    made.unsampled = (unprobed("region"),)

    assert conclude(judged(made)) == (
        "FAIL: 1 required target blocked or down; 1 required endpoint not probed for want of --region "
        "(exit code 1)"
    )


def test_a_report_keeps_the_choice() -> None:
    """Judging a saved report again gives the same; one of an older version knows no choices."""
    made = site(working=(8531,), failing=(8530,))
    made.unsampled = (unprobed("region", one_of="other/choice"),)
    text = to_json(judged(made))
    again = judge(from_json(text))
    old = json.loads(text)
    for one in old["targets"]:
        del one["one_of"], one["not_needed"]
    for one in old["plan"]["unsampled"]:
        del one["one_of"], one["lacks"], one["feature"]
    del old["plan"]["private_link"]

    assert to_json(again) == text
    assert exit_code(judge(from_json(json.dumps(old)))) is ExitCode.FAILED


def test_tls_that_fails_is_spared_like_a_port() -> None:
    """Whatever way an alternative fails in."""
    made = site(working=(8530,))
    seen = (dns(ADDRESS, name=SERVER), tcp(address=ADDRESS, port=8531), tls(Failure.RESET, sni=SERVER))
    made.add(trail(*seen), host=SERVER, port=8531, protocol=Protocol.TLS, row="ws-8531", one_of=CHOICE)

    assert exit_code(judged(made)) is ExitCode.OK
