"""The page on change windows: its commands, exit codes and headings, from saved sweeps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from egressd.__main__ import load_daemon
from egressd.attribution import judge
from egressd.cli.app import app
from egressd.model.observation import Failure
from egressd.model.verdict import Team
from egressd.report.diff.render_diff import HEADINGS
from egressd.report.saved import to_json
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail

PAGE = (Path(__file__).parents[2] / "docs/change-window.md").read_text(encoding="utf-8")


def sweep(folder: Path, name: str, *failing: str) -> Path:
    """Save a sweep of three hosts, some of which are reset."""
    site = Site()
    for number, host in enumerate(("a.example", "b.example", "c.example"), 20):
        address = f"203.0.113.{number}"
        reset = trail(dns(address, name=host), tcp(address=address), tls(Failure.RESET, sni=host))
        site.add(reset if host in failing else good(host, address), host=host, row=host)
    path = folder / f"{name}.json"
    path.write_text(to_json(judge(site.recording())), encoding="utf-8")
    return path


def run(*words: object) -> Result:
    command = [str(one) for one in words]
    return CliRunner().invoke(app, command, obj=load_daemon, env={"COLUMNS": None})


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ((), (), 0, "0 new failures, 0 recovered, 3 unchanged"),
        (("a.example",), ("a.example",), 0, "0 new failures, 0 recovered, 3 unchanged (1 of them failing)"),
        (("a.example",), (), 0, "0 new failures, 1 recovered, 2 unchanged"),
        (("a.example",), ("b.example",), 1, "1 new failure, 1 recovered, 1 unchanged"),
        ((), ("b.example",), 1, "1 new failure, 0 recovered, 2 unchanged"),
    ],
)
def test_diff_says_whether_the_change_broke_anything(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], code: int, said: str
) -> None:
    """Whatever fails as before; the sweep itself says whether all works."""
    old, new = sweep(tmp_path, "before", *before), sweep(tmp_path, "after", *after)
    done = run("diff", old, new)

    assert done.exit_code == code
    assert said in done.stdout
    assert run("replay", new).exit_code == (1 if after else 0)
    assert run("replay", new, "--team", "dns").exit_code == (1 if after else 0)


def test_the_page_knows_every_heading_and_team() -> None:
    """A new kind of change, or a new team, is explained there."""
    assert [one for one in HEADINGS.values() if f"`{one}`" not in PAGE] == []
    assert [one.value for one in Team if f"| `{one}` |" not in PAGE] == []


def test_every_option_of_the_page_exists() -> None:
    """Each command line on the page has only options that its command takes."""
    group = typer.main.get_command(app)
    lines = re.findall(r"^(?:\$ )?(egressd [^\n;>]*)", PAGE, re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)[1:]
        command = group.commands.get(words[0], group)  # type: ignore[attr-defined]
        known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, line
