"""`egressd rules` of one report and of several, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.__main__ import load_daemon
from egressd.attribution import judge
from egressd.cli.app import app
from egressd.model.observation import Failure
from egressd.report.saved import to_json
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail


def saved(folder: Path, *cut: str) -> Path:
    """Save a report of a host whose handshakes with some names are reset."""
    site = Site()
    for name in cut:
        address = f"203.0.113.{20 + len(name)}"
        reset = (dns(address, name=name), tcp(address=address), tls(Failure.RESET, sni=name))
        site.add(trail(*reset), host=name, row=name)
    for name in ("x.example", "y.example"):
        site.add(good(name), host=name, row=name)
    path = folder / f"{'-'.join(cut)}.json"
    path.write_text(to_json(judge(site.recording())), encoding="utf-8")
    return path


def run(*words: object, stdin: str = "") -> Result:
    arguments = [str(one) for one in ("rules", *words)]
    return CliRunner().invoke(app, arguments, obj=load_daemon, input=stdin)


def test_rules_of_several_reports_are_one_text(tmp_path: Path) -> None:
    """What a later report asks for comes beside what the earlier one did; what both ask for comes once."""
    first, second = saved(tmp_path, "a.example", "bb.example"), saved(tmp_path, "bb.example", "ccc.example")
    done = run(first, second, "--format", "json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [one["destination"] for one in document["rules"]] == ["a.example", "bb.example", "ccc.example"]
    assert len(document["reports"]) == 2
    assert {one["site"] for one in document["reports"]} == {None}
    for language in ("list", "squid", "dnsmasq-nftables"):
        text = run(first, second, "--format", language).stdout
        assert text.count("What failed from") == 2, language
        assert all(name in text for name in ("a.example", "bb.example", "ccc.example"))


def test_rules_say_the_site_of_their_report(tmp_path: Path) -> None:
    """Where it is not the name of the host, which is said anyway."""
    path = saved(tmp_path, "a.example")
    document = json.loads(path.read_text(encoding="utf-8"))
    host = document["vantage"]["host"]
    for site, said in (("oslo-1", f"{host} of oslo-1 at "), (host, f"{host} at "), (None, f"{host} at ")):
        document["vantage"]["site"] = site
        path.write_text(json.dumps(document), encoding="utf-8")
        assert f"What failed from {said}" in run(path, "--format", "list").stdout
        assert json.loads(run(path, "--format", "json").stdout)["report"]["site"] == site


def test_only_one_report_comes_from_stdin(tmp_path: Path) -> None:
    """`-` is stdin, beside files as well, and twice a mistake."""
    first, second = saved(tmp_path, "a.example"), saved(tmp_path, "ccc.example")
    done = run(first, "-", stdin=second.read_text(encoding="utf-8"))
    assert done.exit_code == 0, done.output
    assert {"a.example", "ccc.example"} <= set(done.stdout.splitlines())
    assert run("-", "-").exit_code == 2


@pytest.mark.parametrize("noise", ["", "{}", "[1]", "\x00"])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, noise: str) -> None:
    """Beside a good report, too: half of a text would be taken for all of it."""
    path = tmp_path / "noise.json"
    path.write_text(noise, encoding="utf-8")
    done = run(saved(tmp_path, "a.example"), path, "--format", "squid")
    assert done.exit_code == 2
    assert "http_access" not in done.stdout


def test_a_list_without_comments_is_told_on_stderr(tmp_path: Path) -> None:
    """stdout has the entries and nothing else; ports, sources and what is lacking are on stderr."""
    done = run(saved(tmp_path, "a.example"), "--format", "edl")
    assert done.stdout == "a.example/\n"
    assert "tcp/443" in done.stderr
