"""`--team`, `--split` and `--all`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.__main__ import load_daemon
from egressd.attribution import judge
from egressd.cli.app import app
from egressd.model.observation import Failure
from egressd.report.saved import to_json
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which a firewall and a DNS filter have something to mend."""
    site = Site()
    reset = (
        dns("203.0.113.20", name="a.example"),
        tcp(address="203.0.113.20"),
        tls(Failure.RESET, sni="a.example"),
    )
    site.add(trail(*reset), host="a.example", row="a")
    denied = dns(failure=Failure.NXDOMAIN, name="b.example.net", rcode="NXDOMAIN", soa=False)
    site.add(trail(denied), host="b.example.net", row="b")
    for host in ("c.example", "d.example"):
        site.add(good(host), host=host, row=host)
    path = tmp_path_factory.mktemp("report") / "sweep.json"
    path.write_text(to_json(judge(site.recording())), encoding="utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in words], obj=load_daemon)


@pytest.mark.parametrize(
    ("fmt", "suffix"), [(None, ".md"), ("html", ".html"), ("csv", ".csv"), ("table", ".txt")]
)
def test_split_writes_a_file_for_each_team_that_is_asked(
    report: Path, tmp_path: Path, fmt: str | None, suffix: str
) -> None:
    """The folder is made; the exit code is that of the sweep."""
    folder = tmp_path / "tickets" / "today"
    done = run("replay", report, "--split", folder, *(("--format", fmt) if fmt else ()))

    assert done.exit_code == 1, done.output
    assert {f"firewall{suffix}", f"dns{suffix}"} <= {one.name for one in folder.iterdir()}
    assert f"proxy{suffix}" not in {one.name for one in folder.iterdir()}
    assert "a.example" in (folder / f"firewall{suffix}").read_text(encoding="utf-8")
    assert "b.example.net" not in (folder / f"firewall{suffix}").read_text(encoding="utf-8")


def test_a_ticket_of_an_earlier_sweep_does_not_stay(report: Path, tmp_path: Path) -> None:
    """What nobody has to mend any more is not asked for again."""
    (tmp_path / "proxy.md").write_text("an old question", encoding="utf-8")
    run("replay", report, "--split", tmp_path)

    assert (tmp_path / "proxy.md").read_text(encoding="utf-8").startswith("# egressd: nothing to ask of")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--team", "dns", "--format", "json"], "--team needs --format markdown or html or csv or table"),
        (["--team", "dns", "--output", "x.xml"], "--team needs --format"),
        (["--split", "D", "--team", "dns"], "leave --team out"),
        (["--split", "D", "--output", "x.md"], "leave --output out"),
        (["--split", "D", "--format", "json"], "--split needs --format"),
        (["--all"], "-v"),
        (["--team", "nobody"], "firewall"),
    ],
)
def test_what_has_no_effect_is_refused(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    """Exit code 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = run("replay", report, *words)

    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


def test_split_into_a_file_is_refused(report: Path) -> None:
    """Before anything is probed."""
    done = run("replay", report, "--split", report)

    assert done.exit_code == 2
    assert "it is no folder" in done.output


@pytest.mark.parametrize("words", [["--team", "dns"], ["--split", "D"], ["--all"]])
def test_the_daemon_writes_no_tickets(words: list[str]) -> None:
    """It makes no report at all."""
    done = run(*words)

    assert done.exit_code == 2
    assert "needs --once" in done.output


def test_all_lists_what_is_ok(report: Path) -> None:
    """Which is left out otherwise."""
    assert "c.example" in run("replay", report, "--format", "markdown", "--all").stdout
    usual = run("replay", report, "--format", "markdown").stdout
    assert "c.example:443 https" not in usual
    assert "2 more are ok" in usual
