"""A report file costs what its size allows: what is out of proportion is refused before it is judged."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from egressd.errors import ReportFileError
from egressd.model.verdict import Outcome, Sweep
from egressd.report.bounds import MAX_ITEMS, MAX_TEXT, MAX_VALUES
from egressd.report.saved import MAX_TRAILS, from_json, to_document

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., Any]
Document = dict[str, Any]
MIB = 1024 * 1024
PROGRAM = 120 * MIB
"""What the command needs for the smallest report, and some."""
FACTOR = 10


def share(document: Document) -> None:
    """Let one target have a thousand trails of a probe that another target shares without repeating them."""
    first, second = document["targets"][:2]
    document["plan"]["probes"][0]["targets"] = [first["id"], second["id"]]
    first["trails"] = [copy.deepcopy(first["trails"][0]) for _ in range(900)]


def too_many_trails(document: Document) -> None:
    """Let a probe have more trails than any probe makes."""
    first = document["targets"][0]
    first["trails"] = first["trails"] * (MAX_TRAILS + 1)


def many_tries(document: Document) -> None:
    """Add a control with more tries than any has."""
    trail = {key: one for key, one in document["targets"][0]["trails"][0].items() if key != "probe"}
    words = dict.fromkeys(("id", "source", "subject", "why", "host"), "a")
    tries = [trail] * (MAX_TRAILS + 1)
    document["controls"] = [{**words, "kind": "repeat", "address": None, "port": 443, "trails": tries}]


def many_profiles(document: Document) -> None:
    """Let every target have profiles of its own."""
    for number, target in enumerate(document["targets"]):
        target["profiles"] = [f"{number}-{one}" for one in range(MAX_ITEMS - 1)]


TOO_MUCH: dict[str, tuple[Callable[[Document], object], str]] = {
    "a list": (
        lambda one: one["targets"][0].update(profiles=["x"] * (MAX_ITEMS + 1)),
        f"at most {MAX_ITEMS} items",
    ),
    "a list of facts": (
        lambda one: one["vantage"].update(local_addresses=["192.0.2.1"] * (MAX_ITEMS + 1)),
        f"at most {MAX_ITEMS} items",
    ),
    "a mapping": (
        lambda one: one["vantage"].update(trust={str(key): "" for key in range(MAX_ITEMS + 1)}),
        f"at most {MAX_ITEMS} items",
    ),
    "a text": (lambda one: one["targets"][0].update(host="h" * (MAX_TEXT + 1)), f"at most {MAX_TEXT} char"),
    "an observation's text": (
        lambda one: one["targets"][0]["trails"][0]["observations"][0].update(detail="d" * (MAX_TEXT + 1)),
        f"at most {MAX_TEXT} char",
    ),
    "trails of a control": (many_tries, f"more than {MAX_TRAILS} trails"),
    "numbers": (
        lambda one: one["targets"][0]["expect"].update(status=[200] * MAX_VALUES),
        "too big",
    ),
    "profiles": (many_profiles, "profiles"),
    "trails": (too_many_trails, f"more than {MAX_TRAILS} trails of one probe"),
    "trails that are not repeated": (share, "lacks the trails"),
    "one target many times": (
        lambda one: one["plan"]["probes"][0].update(targets=one["plan"]["probes"][0]["targets"] * 9000),
        "names a target twice",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_is_out_of_proportion_is_refused(sweep_of: SweepOf, row: RowOf, what: str) -> None:
    """Each of these made judging take hours or gigabytes; now one line says what there is too much of."""
    change, said = TOO_MUCH[what]
    document = to_document(sweep_of(row(), row(host="a.example", outcome=Outcome.DOWN)))
    change(document)
    with pytest.raises(ReportFileError) as caught:
        from_json(json.dumps(document))
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def repeated(document: Document, count: int) -> Document:
    """Return a report with every target, and its probe, so many times."""
    targets, probes = document["targets"], document["plan"]["probes"]
    document["targets"], document["plan"]["probes"] = [], []
    for number in range(count):
        for target, probe in zip(copy.deepcopy(targets), copy.deepcopy(probes), strict=True):
            target["id"] = probe["targets"][0] = f"{target['id']}-{number}"
            target["host"] = probe["host"] = f"{number}.{target['host']}"
            probe["id"] = f"{probe['id']}-{number}"
            for trail in target["trails"]:
                trail["probe"] = probe["id"]
            document["targets"].append(target)
            document["plan"]["probes"].append(probe)
    return document


MEASURE = """
import os, subprocess, sys
quiet = subprocess.DEVNULL
running = subprocess.Popen([sys.executable, "-m", "egressd", *sys.argv[1:]], stdout=quiet, stderr=quiet)
_, status, usage = os.wait4(running.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
"""
"""A process between: Linux counts the memory of whoever starts a program as the program's."""


def used_by(*words: str) -> tuple[int, int]:
    """Run a command; return its exit code and the bytes of memory it used at most."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True)
    code, used = done.stdout.split()
    return int(code), int(used)


@pytest.mark.parametrize("lists", [False, True], ids=["targets", "lists"])
def test_memory_is_a_small_multiple_of_the_file(
    sweep_of: SweepOf, row: RowOf, tmp_path: Path, *, lists: bool
) -> None:
    """`replay` of a large report, real or made of long lists, takes ten times its size at most."""
    document = to_document(sweep_of(row(outcome=Outcome.BLOCKED), row(host="a.example")))
    document = repeated(document, 200 if lists else 800)
    for target in document["targets"] if lists else ():
        target["profiles"] = [f"a-profile-{number}" for number in range(MAX_ITEMS)]
    path = tmp_path / "large.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    code, used = used_by("replay", str(path), "--format", "json", "--output", str(tmp_path / "again.json"))
    assert code in (0, 1, 3)
    assert used < PROGRAM + FACTOR * path.stat().st_size


@pytest.mark.parametrize("command", ["replay", "diff", "--baseline"])
def test_hostile_file_is_refused_cheaply(sweep_of: SweepOf, row: RowOf, tmp_path: Path, command: str) -> None:
    """A file of millions of short values takes a small multiple of its size until it is refused."""
    document = to_document(sweep_of(row(), row(host="a.example")))
    document["targets"][0]["profiles"] = [f"{number:x}" for number in range(2_000_000)]
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_text(json.dumps(document), encoding="utf-8")
    good.write_text(json.dumps(to_document(sweep_of(row()))), encoding="utf-8")
    words = {
        "replay": ("replay", str(bad)),
        "diff": ("diff", str(good), str(bad)),
        "--baseline": ("--once", "--baseline", str(bad), "--only", "nothing.example"),
    }[command]
    code, used = used_by(*words)
    assert code == 2
    assert used < PROGRAM + FACTOR * bad.stat().st_size
