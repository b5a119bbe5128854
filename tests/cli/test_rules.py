"""`egressd rules`: what a report's failures ask for, in every language, for each team."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from egressd.attribution import judge
from egressd.cli.app import app
from egressd.cli.options import RuleFormat
from egressd.firewall.languages import LANGUAGES
from egressd.model.endpoint import Need, SampleKind
from egressd.model.observation import Failure
from egressd.model.recording import Trail
from egressd.model.settings import Source
from egressd.report.document import parse_report
from egressd.report.saved import to_json
from tests.attribution.recordings import OTHER_ADDRESS, Site, dns, good, tcp, trail

FIRST, SECOND = "10.20.0.11", "10.20.0.12"
RELAY = "azgn-westeurope-public-1p.servicebus.windows.net"
LABEL = "egressd-probe-1a2b3c4d.servicebus.windows.net"


def run(*words: str, stdin: str | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, words, input=stdin)


def silent(host: str) -> Trail:
    """Return a connection that nobody answers."""
    return trail(dns(OTHER_ADDRESS, name=host), tcp(Failure.TIMEOUT, address=OTHER_ADDRESS))


def report(*, fails: bool = True) -> str:
    """Write the report of a sweep from two addresses, both blocked: a host, a wildcard, a filtered name."""
    site = Site()
    for source in ("a", "b"):

        def add(one: Trail, source: str = source, **more: Any) -> None:
            site.add(replace(one, source=source), source=source, **more)

        add(silent("mcr.example") if fails else good("mcr.example"), host="mcr.example", row="mcr")
        more: dict[str, Any] = {"pattern": "*.servicebus.windows.net", "row": "bus"}
        add(silent(RELAY) if fails else good(RELAY), host=RELAY, sample=SampleKind.DOCUMENTED, **more)
        if fails:
            add(silent(LABEL), host=LABEL, sample=SampleKind.RANDOM, need=Need.OPTIONAL, **more)
            denied = dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False, name="gone.example")
            add(trail(denied), host="gone.example", row="gone")
        add(good("well.example"), host="well.example", row="well")
    recording = site.recording()
    sources = (Source(name="a", address=FIRST), Source(name="b", address=SECOND))
    return to_json(judge(replace(recording, plan=replace(recording.plan, sources=sources))))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The report in a file."""
    file = tmp_path / "report.json"
    file.write_text(report(), encoding="utf-8")
    return file


def test_the_command_line_knows_every_language() -> None:
    """The list of formats is written twice, because the languages are loaded late."""
    assert [one.value for one in RuleFormat] == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_names_both_sources_and_no_random_label(saved: Path, language: str) -> None:
    """Half of a rule is none, and nobody can allow a name that egressd made up."""
    result = run("rules", str(saved), "--format", language)
    assert result.exit_code == 0, result.stderr
    assert "egressd-probe" not in result.stdout.replace(f"bus/{LABEL}:443", "the id of its target")
    assert "mcr.example" in result.stdout
    if language not in WITHOUT_SOURCES:
        assert FIRST in result.stdout
        assert SECOND in result.stdout


WITHOUT_SOURCES = frozenset({"edl"})
"""Languages of names alone: sources stand elsewhere on such a device."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("with_failures", [True, False])
def test_no_rule_is_an_empty_document(tmp_path: Path, language: str, with_failures: bool) -> None:
    """Not an error: a report without failures asks for nothing."""
    file = tmp_path / "report.json"
    file.write_text(report(fails=with_failures), encoding="utf-8")
    result = run("rules", str(file), "--format", language, "--team", "inspection")
    assert result.exit_code == 0, result.stderr
    assert "mcr.example" not in result.stdout


def test_a_team_gets_its_own_rules(saved: Path) -> None:
    """The DNS team reads nothing of a firewall."""
    rules = json.loads(run("rules", str(saved), "--format", "json", "--team", "dns").stdout)["rules"]
    assert {one["destination"] for one in rules} == {"gone.example"}
    assert {one["action"] for one in rules} == {"resolve"}
    both = run("rules", str(saved), "--format", "csv", "--team", "dns", "--team", "firewall").stdout
    rows = list(csv.DictReader(io.StringIO(both)))
    assert {one["team"] for one in rows} == {"dns", "firewall"}
    assert run("rules", str(saved), "--need", "optional").stdout.startswith("# egressd: 0 rules")


def test_the_report_has_the_rules_too(saved: Path) -> None:
    """For programs: one row for each source address."""
    document = parse_report(saved.read_text(encoding="utf-8"))
    pairs = {(one.from_, one.to, one.port) for one in document.rules}
    for source in (FIRST, SECOND):
        assert {(source, "mcr.example", 443), (source, "*.servicebus.windows.net", 443)} <= pairs
    for finding in document.findings:
        assert {one.from_ for one in finding.rules} == {FIRST, SECOND}, finding.reason
        assert finding.sources == ("a", "b")
    raw = json.loads(saved.read_text(encoding="utf-8"))
    assert {"from", "to", "sni", "pattern", "need", "service_tag", "team"} <= set(raw["rules"][0])


def test_it_reads_from_stdin_and_writes_a_file(tmp_path: Path) -> None:
    """As the other commands on reports do."""
    output = tmp_path / "hosts.txt"
    result = run("rules", "-", "--output", str(output), stdin=report())
    assert result.exit_code == 0, result.stderr
    assert "*.servicebus.windows.net" in output.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"schema": "egressd.rules/1"}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    """In a sentence."""
    file = tmp_path / "report.json"
    file.write_text(text, encoding="utf-8")
    result = run("rules", str(file))
    assert result.exit_code == 2
    assert "cannot read" in result.stderr
    assert result.stdout == ""
