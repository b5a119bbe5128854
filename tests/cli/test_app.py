"""The command line as users run it: streams, output and exit codes."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from egressd import __version__
from egressd.__main__ import load_daemon
from egressd.catalog import load_catalog
from egressd.cli.app import app
from tests.pausing_loop import EGRESSD, with_long_timeouts

VERSION = (
    rf"egressd {re.escape(__version__)}\ncatalog {load_catalog().revision} \(sha256 [0-9a-f]{{12}}\)\n"
    rf"python {re.escape(platform.python_version())}\n"
    rf"openssl {re.escape(ssl.OPENSSL_VERSION.removeprefix('OpenSSL '))}\n"
)
ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}


def egressd(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*EGRESSD, *words],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
        timeout=300,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_in_process(*words: str) -> Result:
    """Run a command in this process, which is quicker."""
    return CliRunner().invoke(app, words, obj=load_daemon, env={"COLUMNS": "80"})


@pytest.fixture(scope="module")
def failing_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the lab with a fault that blocks one required host."""
    path = tmp_path_factory.mktemp("saved") / "report.json"
    done = egressd(
        "lab", "--once", "--fault", "tls_reset=mcr.microsoft.com", "--format", "json", "--output", str(path)
    )
    assert done.returncode == 1, done.stderr
    return path


def test_the_version_needs_no_libraries() -> None:
    """`--version` imports nothing that sweeps need."""
    code = (
        "import sys; sys.argv = ['egressd', '--version']; from egressd.__main__ import main; main(); "
        "heavy = {'typer', 'pydantic', 'structlog', 'cryptography', 'yaml'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(VERSION, done.stdout)


def test_the_version_wins_over_other_flags() -> None:
    """`--version` together with other flags prints the version."""
    done = egressd("--once", "--version")
    assert done.returncode == 0
    assert re.fullmatch(VERSION, done.stdout)
    assert egressd("-V").stdout == done.stdout
    assert load_catalog().digest.startswith(done.stdout.split("sha256 ")[1][:12])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--oncee"], "No such option: --oncee"),
        (["sweep"], "No such command 'sweep'"),
        (["--once", "--cloud", "moon"], "Invalid value for '--cloud'"),
        (["--once", "--format", "xml"], "Invalid value for '--format'"),
        (["--region", "x", "plan"], "egressd: cannot use --region before a command; write egressd plan "),
        (["--once", "plan"], "egressd: cannot use --once with egressd plan"),
        (["--once", "--deadline", "90"], "egressd: --deadline must be a duration"),
        (["--format", "json"], "egressd: --format needs --once: the daemon makes no report"),
        (["--output", "x"], "egressd: --output needs --once: the daemon makes no report"),
        (["--once", "--web.listen-address", ":1"], "egressd: --web.listen-address is for the daemon"),
        (["--web.listen-address", "here"], "egressd: --web.listen-address must be IP:port"),
        (["history", "--since", "yesterday"], "egressd: --since must be a duration such as 2h, or a UTC"),
        (["history", "--since", "0001-01-01T00:00+14:00"], "egressd: --since is out of range"),
        (["history", "--since", "1h", "--until", "2h"], "egressd: --until must be after --since"),
        (["plan", "--profile", "nope"], "egressd: cannot find the profile 'nope'"),
        (["--once", "--output", "/"], "egressd: cannot write /: it is a folder; name a file in it"),
        (["--once", "--output", "/nope/x"], "egressd: cannot write /nope/x: there is no folder /nope"),
        (["explain", "tls_sni_rest"], "is called 'tls_sni_rest': did you mean tls_sni_reset"),
        (["catalog", "show", "nope-nope"], "egressd: cannot find a row with the id or pattern 'nope-nope'"),
        (["lab", "--once", "--fault", "gremlins=x"], "gremlins"),
        (["lab", "--format", "json"], "egressd: --format and --output need --once"),
        (["replay", "/nope.json"], "egressd: cannot read /nope.json as a report: No such file or directory"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2(words: list[str], message: str) -> None:
    """Wrong usage is one line on stderr and exit code 2."""
    done = run_in_process(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_configuration_is_78(tmp_path: Path) -> None:
    """`config check` and a sweep list every error of the configuration with its line."""
    path = tmp_path / "egressd.yml"
    path.write_text("regoin: x\ninterval: 60\nproxy: {url: 'http://u:hunter2@p:1'}\n", encoding="utf-8")
    for words in (["config", "check"], ["--once"], [], ["history"], ["plan"], ["catalog", "list"]):
        done = run_in_process(*words, "--config.file", str(path))
        assert (done.exit_code, done.stdout) == (78, "")
        assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
            f"{path}:{number}" for number in (1, 2, 3)
        ]
        assert "hunter2" not in done.stderr


@pytest.mark.parametrize("words", [["config", "check"], ["--once"]], ids=" ".join)
def test_a_source_that_is_not_here_is_78(tmp_path: Path, words: list[str]) -> None:
    """Source addresses and interfaces that this host does not have are named, and nothing is probed."""
    path = tmp_path / "egressd.yml"
    rows = (
        "{name: here, address: 127.0.0.1}, {name: gone, address: 203.0.113.7}, {name: away, interface: nope0}"
    )
    path.write_text(f"profiles: [connected-machine]\nsources: [{rows}]\n", encoding="utf-8")
    done = run_in_process(*words, "--config.file", str(path))
    assert (done.exit_code, done.stdout) == (78, "")
    gone, away = done.stderr.splitlines()
    assert "203.0.113.7 (source gone)" in gone
    assert "nope0 (source away)" in away
    assert "the addresses of this host are 127.0.0.1" in gone


def test_the_web_configuration_is_checked_too(tmp_path: Path) -> None:
    """`config check` finds errors of the web configuration."""
    path, web = tmp_path / "egressd.yml", tmp_path / "web.yml"
    path.write_text("region: westeurope\nweb: {config_file: web.yml}\n", encoding="utf-8")
    web.write_text("rate_limit: {interval: 1s}\n", encoding="utf-8")
    done = run_in_process("config", "check", "--config.file", str(path))
    assert (done.exit_code, done.stdout) == (78, "")
    assert f"{web}:1: rate_limit: is not supported" in done.stderr
    web.write_text("", encoding="utf-8")
    assert run_in_process("config", "check", "--config.file", str(path)).exit_code == 0


def test_a_good_configuration_is_ok(tmp_path: Path) -> None:
    """`config check` prints a summary of the settings."""
    path = tmp_path / "egressd.yml"
    path.write_text("region: westeurope\nresolvers: [10.0.0.53]\nsite: oslo-1\n", encoding="utf-8")
    done = run_in_process("config", "check", "--config.file", str(path))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "ok: profiles resource-bridge, connected-machine; cloud public; region westeurope; site oslo-1;"
    )


def test_what_the_appliance_would_refuse_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`config check` warns of what the appliance would refuse or not reach, and ends with 0."""

    def in_the_pods(host: bytes, *_: object, **__: object) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.244.3.4", 0))]

    monkeypatch.setattr("egressd.net.dns.system.socket.getaddrinfo", in_the_pods)
    path = tmp_path / "egressd.yml"
    path.write_text(
        "proxy: {url: 'http://proxy.corp.local:3128', bypass: ['*.corp.example']}\n", encoding="utf-8"
    )
    done = run_in_process("config", "check", "--config.file", str(path))
    assert (done.exit_code, done.stderr) == (0, "")
    _, *warnings = done.stdout.splitlines()
    assert len(warnings) == 3
    assert all(one.startswith("warning: prox") for one in warnings)
    assert "proxy.corp.local resolves to 10.244.3.4" in warnings[-1]


def test_compare_paths_needs_a_proxy() -> None:
    """Without a proxy `--compare-paths` is wrong usage."""
    done = run_in_process("--once", "--compare-paths")
    assert done.exit_code == 2
    assert "--compare-paths needs a proxy" in done.stderr
    done = run_in_process("--compare-paths", "--proxy", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "--compare-paths needs --once" in done.stderr


def test_strict_needs_a_sweep() -> None:
    """The daemon has no exit code to change."""
    done = run_in_process("--strict")
    assert done.exit_code == 2
    assert "--strict needs --once" in done.stderr


def test_a_sweep_without_faults_is_0() -> None:
    """With every required target ok the exit code is 0, the report is on stdout, and stderr is empty."""
    done = egressd("lab", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nPASS: " in done.stdout
    assert "\x1b" not in done.stdout


def test_a_failing_sweep_is_1(failing_report: Path) -> None:
    """A blocked required host is exit code 1; the report names the reason."""
    document = json.loads(failing_report.read_text(encoding="utf-8"))
    bad = {(one["host"], one["reason"]) for one in document["targets"] if one["outcome"] != "ok"}
    assert {host for host, _ in bad} == {"mcr.microsoft.com"}
    assert all(reason and reason.startswith("tls_") for _, reason in bad)


@pytest.mark.parametrize("fmt", ["table", "json", "csv", "markdown", "html", "junit"])
def test_replay_judges_again(failing_report: Path, fmt: str) -> None:
    """A saved sweep gives the same verdicts, in any format, from a file or from stdin."""
    done = egressd("replay", str(failing_report), "--format", fmt)
    assert done.returncode == 1
    assert egressd("replay", "-", "--format", fmt, stdin=failing_report.read_bytes()).stdout == done.stdout
    if fmt == "json":
        assert done.stdout == failing_report.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 10_000])
def test_replay_of_garbage_is_2(tmp_path: Path, content: bytes) -> None:
    """A file that is no report is exit code 2 with a message."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    done = run_in_process("replay", str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"egressd: cannot read {path} as a report: ")
    assert done.stderr.count("\n") == 1


def test_output_replaces_a_file_in_one_step(tmp_path: Path, failing_report: Path) -> None:
    """The file is replaced atomically without leftovers, a link stays a link, and stderr has the summary."""
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old", encoding="utf-8")
    link.symlink_to(real)
    done = egressd("replay", str(failing_report), "--format", "csv", "--output", str(link))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"egressd: wrote {link}: FAIL: ")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8").startswith("target,endpoint,")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.csv", "real.csv"]


def test_output_may_be_a_device(failing_report: Path) -> None:
    """A device or pipe is written to, never replaced."""
    done = egressd("replay", str(failing_report), "--output", "/dev/stdout")
    assert done.stdout.endswith("(exit code 1)\n")


def test_a_full_disk_is_an_error() -> None:
    """A report that can't be written is exit code 74."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "egressd", "explain"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 74
    assert done.stderr == b"egressd: cannot write to stdout: No space left on device\n"


def test_a_report_that_nobody_reads_is_an_error(failing_report: Path) -> None:
    """A report that could not be written whole says so, and its exit code is no sweep's."""
    with subprocess.Popen(
        [sys.executable, "-m", "egressd", "replay", str(failing_report), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b"egressd: cannot write the report to stdout: its reader has gone\n"
        assert process.wait(30) == 74


def test_closed_streams_are_no_error() -> None:
    """With stdout and stderr closed the exit code is unchanged."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m egressd explain >&- 2>&-"], check=False, timeout=300
    )
    assert done.returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_terminal_can_show_a_report(tmp_path: Path, failing_report: Path, encoding: str) -> None:
    """Characters that the terminal's encoding lacks are escaped."""
    text = failing_report.read_text(encoding="utf-8").replace(
        '"service": "Microsoft', '"service": "Micr\\u00f6soft', 1
    )
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "egressd", "replay", str(path), "--format", "csv"],
        capture_output=True,
        check=False,
        env={**ENVIRONMENT, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 1
    assert ("Micr\\xf6soft" if encoding == "ascii" else "Micr\u00f6soft") in done.stdout.decode(encoding)


def test_reading_commands_work() -> None:
    """Plan, catalog and explain print to stdout and end with 0, without touching the network."""
    for words, message in (
        (["plan", "--region", "westeurope"], "Plan: "),
        (["catalog", "list", "--profile", "resource-bridge"], "resource-bridge"),
        (["catalog", "show", "rb-mcr"], "rb-mcr: "),
        (["catalog", "export", "--format", "json"], "{"),
        (["catalog", "export", "--format", "csv"], "role"),
        (["explain"], "dns_servfail"),
        (["explain", "dns_servfail"], "What it means"),
        (["lab", "--list"], "tls_reset "),
    ):
        done = run_in_process(*words)
        assert (done.exit_code, done.stderr) == (0, ""), words
        assert message in done.stdout


@pytest.mark.parametrize(("words", "site"), [((), platform.node()), (("--site", "oslo-1"), "oslo-1")])
def test_a_plan_says_its_site(words: tuple[str, ...], site: str) -> None:
    """As given, else the host's name: it is what metrics, alerts and reports of this host will say."""
    done = run_in_process("plan", "--region", "westeurope", *words)
    assert f"\nSite: {site}\n" in done.stdout
    done = run_in_process("plan", "--region", "westeurope", "--format", "json", *words)
    assert json.loads(done.stdout)["site"] == site


def test_only_narrows_the_sweep(tmp_path: Path) -> None:
    """`--only` limits the plan to one host."""
    done = run_in_process("plan", "--only", "mcr.microsoft.com", "--output", str(tmp_path / "plan"))
    assert done.exit_code == 0
    assert "mcr.microsoft.com" in (tmp_path / "plan").read_text(encoding="utf-8")
    assert run_in_process("plan", "--only", "no.such.host").exit_code == 2


def _lab(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "egressd", "lab", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )


def test_the_lab_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """The lab writes a configuration for sweeps, reads commands from stdin, and ends with 0 on SIGTERM."""
    config = tmp_path / "lab.yml"
    with _lab("--config.write", str(config)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert b"egressd --once --config.file" in process.stdout.readline()
        assert b"the lab is open" in process.stdout.readline()
        config.write_text(with_long_timeouts(config.read_text(encoding="utf-8")), encoding="utf-8")
        assert egressd("--once", "--config.file", str(config)).returncode == 0
        process.stdin.write(b"on tls_reset=mcr.microsoft.com\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"tls_reset=mcr.microsoft.com\n"
        assert egressd("--once", "--config.file", str(config)).returncode == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


def _until(terminal: int, word: bytes) -> bytes:
    """Read a terminal until a word appears."""
    seen = b""
    while word not in seen:
        seen += os.read(terminal, 4096)
    return seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupted_sweep_ends_with_130(tmp_path: Path, number: signal.Signals, times: int) -> None:
    """The first signal ends probing and the partial report is written; the second ends everything at once.

    One TLS handshake gets no answer, so that the sweep is still running when the signal comes. The
    progress line on a terminal shows when it has started.
    """
    config = tmp_path / "lab.yml"
    terminal, stderr = os.openpty()
    with _lab("--config.write", str(config), "--fault", "tls_silence=mcr.microsoft.com") as lab:
        assert lab.stdout is not None
        lab.stdout.readline()
        config.write_text(with_long_timeouts(config.read_text(encoding="utf-8")), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "egressd", "--once", "--config.file", str(config)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**ENVIRONMENT, "TERM": "xterm"},
        ) as sweep:
            assert re.search(rb"probing \d+/\d+  ok \d+  failing \d+", _until(terminal, b"failing"))
            os.kill(sweep.pid, number)
            message = _until(terminal, b"once more to abort")
            if times == 2:
                os.kill(sweep.pid, number)
            out, _ = sweep.communicate(timeout=120)
        lab.terminate()
    os.close(terminal)
    os.close(stderr)
    assert sweep.returncode == 130
    assert b"egressd: stopping; once more to abort" in message
    if times == 1:
        assert b"INTERRUPTED: " in out


def test_colour_only_for_a_terminal_that_wants_it(failing_report: Path) -> None:
    """A terminal gets colours, unless NO_COLOR is set or TERM is dumb."""
    plain = {key: value for key, value in ENVIRONMENT.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    for environment, coloured in (
        (plain, True),
        (plain | {"NO_COLOR": "1"}, False),
        (plain | {"TERM": "dumb"}, False),
    ):
        terminal, stdout = os.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "egressd", "replay", str(failing_report)], stdout=stdout, env=environment
        ) as process:
            shown = _until(terminal, b"(exit code 1)")
        assert process.returncode == 1
        assert (b"\x1b[1;31m" in shown) is coloured
        os.close(terminal)
        os.close(stdout)


@pytest.fixture(scope="module")
def ok_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the lab without faults."""
    path = tmp_path_factory.mktemp("sound") / "report.json"
    done = egressd("lab", "--once", "--format", "json", "--output", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_diff_finds_the_new_failure(ok_report: Path, failing_report: Path) -> None:
    """A new failure is exit code 1 and names the host; a recovery is 0."""
    worse, better = (
        run_in_process("diff", str(ok_report), str(failing_report)),
        run_in_process("diff", str(failing_report), str(ok_report)),
    )
    assert (worse.exit_code, better.exit_code) == (1, 0)
    assert "mcr.microsoft.com:443: blocked" in worse.stdout
    assert "RECOVERED" in better.stdout
    assert run_in_process("diff", str(ok_report), str(ok_report)).exit_code == 0


def test_diff_writes_json(ok_report: Path, failing_report: Path) -> None:
    """The changes are written as JSON."""
    done = run_in_process("diff", str(ok_report), str(failing_report), "--format", "json")
    assert json.loads(done.stdout)["new_failures"] >= 1


def test_diff_refuses_what_is_no_report(ok_report: Path, tmp_path: Path) -> None:
    """A file that is no report is named; nothing is compared."""
    path = tmp_path / "x.json"
    path.write_text("{}", encoding="utf-8")
    done = run_in_process("diff", str(ok_report), str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert str(path) in done.stderr


def test_a_sweep_is_compared_with_a_baseline(tmp_path: Path, ok_report: Path) -> None:
    """Table and stderr show what changed since; the exit code is the sweep's own."""
    path = tmp_path / "egressd.yml"
    path.write_text(
        "profiles: []\nresolvers: ['127.0.0.1:9']\n"
        "endpoints: [{id: x, host: 127.0.0.1, port: 1, protocol: tcp}]\n",
        encoding="utf-8",
    )
    done = egressd("--once", "--config.file", str(path), "--baseline", str(ok_report))
    assert done.returncode == 1, done.stderr
    assert "SINCE THE BASELINE" in done.stdout
    assert "NEW FAILURES" in done.stdout
    assert "egressd: since the baseline: 1 new failure, 0 recovered" in done.stderr


def test_an_invalid_baseline_is_refused_before_probing(tmp_path: Path) -> None:
    """An invalid baseline ends the command before any probe."""
    done = run_in_process("--once", "--region", "westeurope", "--baseline", str(tmp_path / "none.json"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "none.json" in done.stderr
