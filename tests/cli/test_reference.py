"""What the program says of itself: explanations, completion, and plans, lists and checks as data."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.testing import CliRunner, Result

from egressd.attribution.reasons import REASONS
from egressd.cli.app import app
from egressd.cli.reference.completion import SCRIPTS, Shell
from egressd.cli.reference.explain import MOST_IN_FULL
from egressd.model.verdict import Blame


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "100"})


def explained(*words: str) -> tuple[list[str], list[str]]:
    """Return the codes and blame words that a command explains as JSON."""
    done = run("explain", *words, "-f", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "egressd.explain/1"
    return [one["code"] for one in document["reasons"]], [one["blame"] for one in document["blames"]]


def test_several_codes_are_explained_in_the_order_asked_for() -> None:
    """Each once, in full, however it is spelt."""
    done = run("explain", "tls_sni_reset", "dns_servfail", "TLS-SNI-RESET")
    assert done.exit_code == 0
    assert done.stdout.count("What it means") == 2
    assert done.stdout.index("tls_sni_reset\n") < done.stdout.index("\ndns_servfail\n")


@pytest.mark.parametrize("glob", ["tls_*", "*_silent", "dns_[ns]*", "proxy_???????", "*"])
def test_a_glob_stands_for_every_code_and_blame_word_it_matches(glob: str) -> None:
    """As data all of each; as text many are titles, few are whole."""
    codes, blames = explained(glob)
    assert codes == [one for one in REASONS if fnmatch.fnmatchcase(one, glob)]
    assert blames == [one.value for one in Blame if fnmatch.fnmatchcase(one.value, glob)]
    text = run("explain", glob).stdout
    assert all(code in text for code in codes)
    assert ("What it means" in text) is (len(codes) <= MOST_IN_FULL)


@pytest.mark.parametrize("blame", [one.value for one in Blame])
def test_a_blame_word_is_explained_with_its_team_and_codes(blame: str) -> None:
    """Who it is, whom to call, and every code that it can have caused."""
    done = run("explain", blame)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{blame}: ")
    assert "Whom to call" in done.stdout
    assert "--team " in done.stdout
    can = [one.code for one in REASONS.values() if Blame(blame) in one.suspects.parties]
    assert [code for code in can if f"  {code}" not in done.stdout] == []


def test_all_codes_as_data_have_all_texts() -> None:
    """Without a word it is every code."""
    document = json.loads(run("explain", "--format", "json").stdout)
    assert [one["code"] for one in document["reasons"]] == list(REASONS)
    keys = ("chapter", "title", "meaning", "signal", "suspects", "advice", "confirmation")
    assert [(one["code"], key) for one in document["reasons"] for key in keys if not one[key]] == []


def test_a_code_with_a_status_is_explained() -> None:
    """A report may say `service_reachable_http_404`."""
    assert explained("service_reachable_http_404")[0] == ["service_reachable_http"]


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (("tls_sni_rset",), ["'tls_sni_rset': did you mean tls_sni_reset"]),
        (("firewal_l7",), ["'firewal_l7': did you mean firewall_l7"]),
        (("nope_*",), ["matches 'nope_*': `egressd explain` lists"]),
        (("dns_servfail", "tls_sni_rset", "proxy_denid"), ["'tls_sni_rset'", "'proxy_denid'"]),
        (("\x1b]2;zz",), ["no reason code or blame word is called"]),
    ],
)
def test_every_unknown_word_is_named_at_once(words: tuple[str, ...], messages: list[str]) -> None:
    """With what may have been meant; nothing is explained."""
    done = run("explain", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert [message for message in messages if message not in done.stderr] == []
    assert done.stderr.count("\n") == len(messages)
    assert done.stderr.replace("\n", "").isprintable()


def test_a_plan_as_data_is_the_plan(tmp_path: Path) -> None:
    """Targets with their probes, what is not probed and why, controls and notes; no credentials."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    secret.chmod(0o600)
    path = tmp_path / "egressd.yml"
    path.write_text(
        "sources: [{name: a, address: 127.0.0.1}, {name: b, address: 127.0.0.2}]\n"
        "proxy: {url: 'http://127.0.0.1:3128', username: me, bypass: [.corp.example], "
        f"password_file: {secret}}}\n"
        "endpoints: [{id: own, host: x.corp.example, port: 443, protocol: https}]\n",
        encoding="utf-8",
    )
    words = ("plan", "-c", str(path), "-f", "json")
    done = run(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "hunter2" not in done.stdout
    document = json.loads(done.stdout)
    assert document["schema"] == "egressd.plan/1"
    assert document["proxy"]["url"] == "http://127.0.0.1:3128"
    assert document["region"] is None
    own = next(one for one in document["targets"] if one["endpoint"] == "own")
    assert [(one["source"], one["via_proxy"], one["bypassed_by"]) for one in own["probes"]] == [
        ("a", False, ".corp.example"),
        ("b", False, ".corp.example"),
    ]
    text = run("plan", "-c", str(path)).stdout
    assert text.startswith(f"Plan: {len(document['targets'])} targets by ")
    assert f"({sum(one['need'] == 'required' for one in document['not_probed'])} required)" in text
    assert [one for one in document["not_probed"] if one["lacks"]]
    run(*words, "-o", str(tmp_path / "plan.json"))
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["schema"] == "egressd.plan/1"


def test_the_list_of_rows_as_data_has_the_rows_of_the_text() -> None:
    """Ids and their order are the same; regions are filled in; `--only` narrows both."""
    for words in ((), ("-p", "wsus"), ("--only", "*.his.arc.azure.com"), ("--cloud", "china")):
        document = json.loads(run("catalog", "list", "-f", "json", *words).stdout)
        text = run("catalog", "list", *words).stdout
        assert document["schema"] == "egressd.endpoints/1"
        ids = [one["id"] for one in document["endpoints"]]
        assert ids
        assert [one for one in ids if f"  {one} " not in text] == []
        assert len(ids) == text.count("\n    ")
    regional = json.loads(run("catalog", "list", "-f", "json", "-r", "westeurope").stdout)["endpoints"]
    assert [one["host"] for one in regional if "{region}" in one["host"]] == []


def test_a_check_as_data_names_each_mistake_by_line_and_key(tmp_path: Path) -> None:
    """It ends with 78 as the text does, and its answer is on stdout."""
    path = tmp_path / "egressd.yml"
    path.write_text(
        "regoin: x\ninterval: 60\nsources:\n  - {name: a, address: nope}\n"
        "overrides: [{match: a, ned: optional}]\n",
        encoding="utf-8",
    )
    done, text = (
        run("config", "check", "-c", str(path), "-f", "json"),
        run("config", "check", "-c", str(path)),
    )
    assert (done.exit_code, done.stderr) == (78, "")
    document = json.loads(done.stdout)
    assert (document["schema"], document["ok"], document["settings"]) == (
        "egressd.config-check/1",
        False,
        None,
    )
    assert [one["text"] for one in document["mistakes"]] == text.stderr.splitlines()
    places = {(one["line"], one["key"]) for one in document["mistakes"]}
    assert {(1, "regoin"), (2, "interval"), (5, "overrides[0].ned")} <= places
    assert {one["file"] for one in document["mistakes"]} == {str(path)}


def test_a_good_check_as_data_has_warnings_and_settings(tmp_path: Path) -> None:
    """What the text says in a sentence are fields; a missing file is a mistake like others."""
    path = tmp_path / "egressd.yml"
    path.write_text("profiles: [wsus]\nproxy: {url: 'http://p.example:3128', bypass: ['*.x']}\n")
    document = json.loads(run("config", "check", "-c", str(path), "--no-host", "-f", "json").stdout)
    assert (document["ok"], document["mistakes"]) == (True, [])
    assert document["settings"]["profiles"] == ["wsus"]
    assert document["settings"]["proxies"] == ["http://p.example:3128"]
    missing = run("config", "check", "-c", "/nope.yml", "-f", "json")
    assert missing.exit_code == 78
    assert json.loads(missing.stdout)["mistakes"][0]["message"]
    quiet = run("config", "check", "-c", str(path), "--no-host", "-q")
    assert not quiet.stdout.startswith("ok:")


def complete(shell: str, line: str) -> str:
    """Ask as a shell's script does."""
    words = line.split(" ")
    asked = {
        "_EGRESSD_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    completion_init()
    with patch.dict(os.environ, asked):
        done = CliRunner().invoke(app, [], prog_name="egressd")
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("egressd pl", ["plan"]),
        ("egressd plan --reg", ["--region"]),
        ("egressd --once -r westeu", ["westeurope"]),
        ("egressd plan -p azure-loc", ["azure-local-vm", "azure-local"]),
        ("egressd explain tls_sni_r", ["tls_sni_reset"]),
        ("egressd explain firewall_", ["firewall_l3l4", "firewall_l7"]),
        ("egressd catalog list --format j", ["json"]),
        ("egressd lab --fault tls_rese", ["tls_reset="]),
        ("egressd completion fi", ["fish"]),
        (
            "egressd catalog show rb-mc",
            ["rb-mcr"],
        ),
    ],
)
def test_commands_options_and_names_are_completed(line: str, expected: list[str]) -> None:
    """What bash gets are the words that begin so."""
    assert set(complete("bash", line).split()) >= set(expected)
    assert all(one.startswith(line.rsplit(" ", maxsplit=1)[-1]) for one in complete("bash", line).split())


def bash_asks(line: str, folder: Path) -> str:
    """What bash itself would complete a line to, with the script that the program prints."""
    return f"""
        source {folder}/script
        COMP_WORDS=({line} '') COMP_CWORD={len(line.split())}
        [[ {line!r} == *' ' ]] || {{ COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; }}
        _egressd egressd; printf '%s\\n' "${{COMPREPLY[@]}}"
    """


@pytest.mark.parametrize("shell", list(Shell))
def test_the_script_of_each_shell_completes_in_it(shell: Shell, tmp_path: Path) -> None:
    """The shell itself is run with the script, and completes a region."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"SKIPPED: {shell} is not installed")
    printed = run("completion", shell)
    assert (printed.exit_code, printed.stdout) == (0, SCRIPTS[shell])
    (tmp_path / "script").write_text(printed.stdout, encoding="utf-8")
    (tmp_path / "egressd").write_text(f'#!/bin/sh\nexec {sys.executable} -m egressd "$@"\n', encoding="utf-8")
    (tmp_path / "egressd").chmod(0o755)
    asked = {
        Shell.BASH: bash_asks("egressd plan -r westeu", tmp_path),
        Shell.ZSH: f"""
            compdef() {{ :; }}
            source {tmp_path}/script
            _arguments() {{ print -r -- "$@"; }}
            words=(egressd plan -r westeu) CURRENT=4
            _egressd
        """,
        Shell.FISH: f"source {tmp_path}/script; complete -C 'egressd plan -r westeu'",
    }[shell]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [program, "-c", asked], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""
    assert "westeurope" in done.stdout
    assert "eastus" not in done.stdout
