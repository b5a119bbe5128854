"""`egressd fleet` on saved reports, as it is typed: which files count, what is shown, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from egressd.errors import ExitCode
from tests.cli.fleet_reports import PLACES, report_text, rewritten, save

SCHEMA = Path(__file__).parents[2] / "egressd" / "report" / "fleet" / "fleet-1.schema.json"
Done = subprocess.CompletedProcess[str]


def run(*words: object, stdin: str = "", **environment: str) -> Done:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "egressd", "fleet", *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={key: value for key, value in os.environ.items() if not key.startswith("EGRESSD_")} | environment,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sites, twice each: all was well, then one place fails for all, and two more at oslo."""
    reports = {}
    for number, site in enumerate(("oslo", "bergen", "alta", "narvik", "molde")):
        own = ["guest.example", "data.example"] if site == "oslo" else []
        reports[f"{site}-1"] = report_text(site)
        reports[f"{site}-2"] = report_text(site, ["mcr.example", *own], minutes=5 + number / 5)
    return save(tmp_path_factory.mktemp("reports"), reports)


def test_verdicts_come_first_and_the_matrix_groups_the_sites(folder: Path) -> None:
    """The outage for all clears the firewalls, the lone site stands alone; 80 columns hold it all."""
    done = run(folder, COLUMNS="80")
    assert done.returncode == ExitCode.FAILED, done.stderr
    text = done.stdout
    assert max(map(len, text.splitlines())) <= 80
    outage, lone = text.index("service_down"), text.index("site_differs")
    assert outage < lone < text.index("A  4 sites: alta, bergen, molde, narvik")
    assert "5 of 5 sites failing: alta, bergen, molde, narvik, oslo" in text
    assert "1 of 5 sites failing: oslo; 4 reach the same" in text
    assert "since   between 2026-11-20 03:10:04Z and 03:15:04Z" in text
    common, differs = text.index("FAILS AT EVERY SITE"), text.index("FAILS AT SOME SITES")
    assert common < text.index("  mcr.example:443  FAIL  FAIL") < differs
    assert "  guest.example:443  ok    FAIL" in text[differs:]
    assert "login.example" not in text
    assert text.endswith("FAIL: 3 required places blocked or down, at 5 of 5 sites (exit code 1)\n")
    assert done.stderr == ""


def test_all_lists_what_is_well(folder: Path) -> None:
    """`--all` adds the places that are ok at every site."""
    assert "  login.example:443" in run(folder, "--all").stdout


def test_the_first_reports_alone_pass(folder: Path) -> None:
    """Without a failure the exit code is 0, and there is no matrix."""
    done = run(*(folder / f"{site}-1.json" for site in ("oslo", "bergen")))
    assert done.returncode == ExitCode.OK, done.stdout
    assert "PASS: 4 required places, all reachable at 2 sites" in done.stdout
    assert "ok reachable" not in done.stdout
    assert run(*(folder / f"{site}-1.json" for site in ("oslo", "bergen")), "--quiet").stdout == ""
    assert "FAIL: 3 required places" in run(folder, "--quiet").stdout


def test_json_is_what_its_schema_says(folder: Path) -> None:
    """Every site, row and verdict, with who was blamed before the others were asked."""
    document = json.loads(run(folder, "--format", "json").stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    assert document["schema"] == "egressd.fleet/1"
    assert [one["kind"] for one in document["verdicts"]] == ["service_down", "site_differs"]
    assert [one["site"] for one in document["sites"]] == ["alta", "bergen", "molde", "narvik", "oslo"]
    assert document["summary"] | {"conclusion": ""} == {
        "sites": 5,
        "silent": 0,
        "places": 4,
        "failing": 3,
        "conclusion": "",
        "exit_code": 1,
    }
    (row,) = (one for one in document["rows"] if one["host"] == "mcr.example")
    assert row["cells"]["alta"]["blame"] == "azure_service"
    assert row["cells"]["alta"]["was_blamed"] == "firewall_l7"
    assert row["cells"]["alta"]["onset"]["after"] == "2026-11-20T03:10:04.120Z"


def test_a_file_gets_the_format_of_its_suffix(folder: Path, tmp_path: Path) -> None:
    """The report goes into the file, the conclusion to stderr."""
    done = run(folder, "--output", tmp_path / "fleet.html")
    assert (done.returncode, done.stdout) == (ExitCode.FAILED, "")
    assert "FAIL: 3 required places" in done.stderr
    assert (tmp_path / "fleet.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_sites_and_needs_that_are_not_shown_still_are_controls(folder: Path) -> None:
    """`--site` leaves the verdict as it is, and shows no column of others; a pattern may hold `*`."""
    done = run(folder, "--site", "OS*", "--format", "json")
    document = json.loads(done.stdout)
    assert [one["site"] for one in document["sites"]] == ["oslo"]
    assert {site for row in document["rows"] for site in row["cells"]} == {"oslo"}
    assert [one["kind"] for one in document["verdicts"]] == ["service_down", "site_differs"]
    assert len(document["verdicts"][1]["working"]) == 4
    done = run(folder, "--need", "optional")
    assert done.returncode == ExitCode.UNKNOWN
    assert "UNSURE: no required place was probed" in done.stdout


def test_a_site_that_is_not_there_is_a_mistake(folder: Path) -> None:
    """With the names that there are, and whatever the daemon's own variable says."""
    done = run(folder, "--site", "bodo")
    assert done.returncode == ExitCode.USAGE
    assert "no site matches --site bodo; there are alta, bergen, molde" in done.stderr
    assert run(folder, EGRESSD_SITE="bodo").returncode == ExitCode.FAILED


def test_what_is_no_report_is_named_and_the_rest_goes_on(folder: Path, tmp_path: Path) -> None:
    """A truncated file, another document, bytes; and a pass is none, if something was left out."""
    save(tmp_path, {"a": report_text("a"), "b": report_text("b"), "cut": report_text("c")[:4000]})
    (tmp_path / "other.json").write_text('{"schema": "egressd.fleet/1"}', encoding="utf-8")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.txt").write_text("no report, and not looked at", encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == ExitCode.UNKNOWN, done.stdout
    for name in ("cut.json", "other.json", "bytes.json"):
        assert f"cannot read {tmp_path / name} as a report: " in done.stderr
    assert "3 files left out, the rest is compared" in done.stderr
    assert "Traceback" not in done.stderr
    assert "notes.txt" not in done.stderr
    assert "PASS: 4 required places, all reachable at 2 sites" in done.stdout


def test_without_a_report_left_it_is_a_mistake(tmp_path: Path) -> None:
    """Each file is named with why."""
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    done = run(tmp_path, tmp_path / "absent.json")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "a.json" in done.stderr
    assert "absent.json" in done.stderr
    assert "no report is left to compare" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name reports or folders of them, or a Prometheus"),
        (("EMPTY",), "there is no *.json in the folder"),
        (("-", "-"), "only one of the reports can come from stdin"),
        (("EMPTY", "--prometheus", "http://127.0.0.1:1"), "not both"),
        (("EMPTY", "--at", "2h"), "--at needs --prometheus"),
        (("EMPTY", "--http.config.file", "x"), "--http.config.file needs --prometheus"),
        (("--prometheus", "http://me:sesame@prometheus.example"), "must hold no user name or password"),
        (("--prometheus", "prometheus:9090"), "--prometheus must start with http:// or https://"),
        (("--prometheus", "http://127.0.0.1:1", "--at", "2999-01-01"), "--at must not be in the future"),
        (("--prometheus", "http://127.0.0.1:1", "--at", "soon"), "--at must be a duration"),
        (("--prometheus", "http://127.0.0.1:1"), "127.0.0.1:1 can't be reached"),
    ],
)
def test_wrong_usage_is_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """One line says what is wrong; no password is repeated."""
    done = run(*(tmp_path if one == "EMPTY" else one for one in words))
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert said in done.stderr
    assert "sesame" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_mistakes_of_the_http_configuration_are_all_listed(tmp_path: Path) -> None:
    """Before anything is asked, with the exit code of a bad configuration."""
    config = tmp_path / "http.yml"
    config.write_text("basic_auth: {username: a}\ntls_confg: {}\noauth2: {}\n", encoding="utf-8")
    done = run("--prometheus", "http://127.0.0.1:1", "--http.config.file", config)
    assert done.returncode == ExitCode.CONFIG
    assert "did you mean 'tls_config'?" in done.stderr
    assert "oauth2: is not supported" in done.stderr


def test_one_report_comes_from_stdin_and_one_from_a_pipe(folder: Path, tmp_path: Path) -> None:
    """Both can be read only once; a folder beside them counts too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write({report_text('p')!r})"])
    done = run("-", pipe, folder / "oslo-1.json", "--format", "json", stdin=report_text("s"))
    assert writer.wait(60) == 0
    document = json.loads(done.stdout)
    assert {one["site"]: one["origin"] for one in document["sites"]} == {
        "oslo": "oslo-1.json",
        "p": "pipe",
        "s": "-",
    }


def test_the_worst_host_of_a_site_decides_and_old_results_are_not_todays(tmp_path: Path) -> None:
    """Hosts of a site are one column; the newest report of each host counts, in whatever order they come."""
    reports = {
        "z-old": report_text("oslo", ["mcr.example"], minutes=-30, host="h1"),
        "a-new": report_text("oslo", host="h1"),
        "b": report_text("oslo", ["data.example"], host="h2"),
        "c": report_text("bergen"),
        "d": report_text("alta"),
    }
    document = json.loads(run(save(tmp_path, reports), "--format", "json").stdout)
    (oslo,) = (one for one in document["sites"] if one["site"] == "oslo")
    assert oslo["hosts"] == ["h1", "h2"]
    failing = {row["host"] for row in document["rows"] if row["cells"]["oslo"]["outcome"] == "blocked"}
    assert failing == {"data.example"}


def test_a_report_of_an_older_version_has_the_host_for_its_site(tmp_path: Path) -> None:
    """Without `site` its host's name is taken."""
    text = report_text("x", host="old-1")
    document = json.loads(rewritten(text))
    del document["vantage"]["site"]
    save(tmp_path, {"old": json.dumps(document), "new": report_text("new")})
    found = json.loads(run(tmp_path, "--format", "json").stdout)
    assert [one["site"] for one in found["sites"]] == ["new", "old-1"]


HOSTILE = "<script>alert(1)</script>\u202e\x1b[2J\"'&"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """A site's name is another's text: it moves no cursor, and is no markup."""
    text = rewritten(report_text("x", ["mcr.example"]), site=HOSTILE)
    save(tmp_path, {"a": text, "b": report_text("b"), "c": report_text("c")})
    table, html = run(tmp_path).stdout, run(tmp_path, "--format", "html").stdout
    for shown in (table, html):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert(1)</script>" in table
    done = run(tmp_path, "--site", "nothing")
    assert "\x1b" not in done.stderr


def test_many_sites_are_few_columns(tmp_path: Path) -> None:
    """Forty sites that are well are one column; those that look alike stand together."""
    names = [f"s{number:02}" for number in range(43)]
    reports = {name: report_text(name, ["mcr.example"] if name in names[:3] else []) for name in names}
    done = run(save(tmp_path, reports), COLUMNS="80")
    assert "  A  40 sites: s03, s04" in done.stdout
    assert "  B  3 sites: s00, s01, s02" in done.stdout
    assert "  mcr.example:443  ok    FAIL" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_site_that_is_cut_off_is_one_verdict(tmp_path: Path) -> None:
    """It is about the site: nothing is counted, and its places are named shortly."""
    places = [f"p{number}.example" for number in range(8)]
    reports = {name: report_text(name, places[:6] if name == "a" else [], places=places) for name in "abcd"}
    text = run(save(tmp_path, reports)).stdout
    assert "site_cut_off: the site as a whole" in text
    assert "    sites   a\n" in text
    assert text.count("    is      ") == 1


def test_places_are_compared_by_host_and_port(tmp_path: Path) -> None:
    """A site that does not have a place is not said to fail it."""
    save(
        tmp_path,
        {
            "a": report_text("a", ["mcr.example"], places=[*PLACES, "extra.example"]),
            "b": report_text("b"),
            "c": report_text("c"),
        },
    )
    text = run(tmp_path, "--all").stdout
    (line,) = (one for one in text.splitlines() if one.startswith("  extra.example"))
    assert line.split() == ["extra.example:443", "-", "ok"]
