"""A configuration of 20,000 endpoints: it is read, its mistakes have lines, and its cost is linear."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from types import FrameType

import pytest

from egressd import yamlfile
from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.errors import ConfigError

MANY = 20_000
EACH = 3000
"""Bytes that an endpoint may take while a file is read; its own values take a third of it."""
DIGEST = "5ced06f7ce064b71ddf753eb02f9ae626e419c3a18dd0651095f4675553f9679"
CATALOG = load_catalog()
ROW = """\
- id: row-{0}
  service: A service of the data centre
  host: host-{0}.branch-{1}.corp.example
  port: {2}
  protocol: https
  need: required
  roles: [appliance, control-plane, machine]
  purpose: What it is for, said in a sentence of usual length
  path: /health/ready?probe=egressd
  expect: {{status: [200, 204, 401], min_bytes: 2}}
"""


def write_file(folder: Path, rows: int, *, last_port: str = "443") -> Path:
    """Write a configuration of so many endpoints."""
    path = folder / f"egressd-{rows}-{last_port}.yml"
    ports = ("443",) * (rows - 1) + (last_port,)
    text = "".join(ROW.format(number, number % 50, port) for number, port in enumerate(ports))
    path.write_text(f"profiles: []\nendpoints:\n{text}", encoding="utf-8")
    return path


def test_the_last_mistake_of_a_large_file_has_its_line(tmp_path: Path) -> None:
    """All 20,000 endpoints are read: a wrong port of the last one is reported where it stands."""
    path = write_file(tmp_path, MANY, last_port="99999")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, Flags(), catalog=CATALOG)
    line = 2 + (MANY - 1) * ROW.count("\n") + 4
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:{line}: endpoints[{MANY - 1}].port: ")


def test_twice_the_endpoints_take_twice_the_calls(tmp_path: Path) -> None:
    """Nothing that reads a configuration looks at every endpoint for each endpoint."""
    load_settings(write_file(tmp_path, 1), Flags(), catalog=CATALOG)  # what is imported or built once
    none, some, twice = (_calls(write_file(tmp_path, rows)) for rows in (1, 301, 601))
    assert twice - none == pytest.approx(2 * (some - none), rel=0.02)


def test_an_endpoint_takes_the_memory_of_an_endpoint(tmp_path: Path) -> None:
    """What reading takes for a moment, YAML and the schema's models, does not add up over the endpoints."""
    load_settings(write_file(tmp_path, 1), Flags(), catalog=CATALOG)  # what is imported or built once
    some, many = (_peak(write_file(tmp_path, rows)) for rows in (1000, 3000))
    assert (many - some) / 2000 < EACH


def test_the_digest_of_endpoints_is_what_it_was(tmp_path: Path) -> None:
    """A daemon and its history know a configuration by it: it is the same however it is worked out."""
    settings = load_settings(write_file(tmp_path, 3), Flags(), catalog=CATALOG)
    assert settings.digest == DIGEST


def test_lines_are_worked_out_only_for_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without mistakes is read once, and the lines of its values take no memory."""
    monkeypatch.setattr(yamlfile, "_LineReader", None)
    assert len(load_settings(write_file(tmp_path, 3), Flags(), catalog=CATALOG).added_endpoints) == 3
    with pytest.raises(TypeError):
        load_settings(write_file(tmp_path, 3, last_port="99999"), Flags(), catalog=CATALOG)


def _peak(path: Path) -> int:
    """Return the bytes that a reading takes at most."""
    tracemalloc.start()
    try:
        load_settings(path, Flags(), catalog=CATALOG)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _calls(path: Path) -> int:
    """Return how many functions a reading calls, those written in C included."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        load_settings(path, Flags(), catalog=CATALOG)
    finally:
        sys.setprofile(before)
    return calls
