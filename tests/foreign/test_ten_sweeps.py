"""The same world gives the same verdict: ten sweeps of ten, with faults that come and go."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.foreign.chance import FAULTS, Fault, build
from tests.foreign.misses import MISSES
from tests.net import repeated_sweeps
from tests.net.topology import Network, temporary_network

SWEEPS, AT_ONCE = 10, 5
LOUD = ("high", "confirmed")

Said = list[str]
"""Outcome, reason, blame, and the confidences of the two claims."""


@pytest.fixture(scope="module")
def ten_sweeps(foreign_programs: None) -> Iterator[list[dict[str, Said]]]:
    """Return what ten sweeps of one world said of each fault."""
    with temporary_network() as network:
        yield _sweep(network)


def _sweep(network: Network) -> list[dict[str, Said]]:
    config = network.client.folder / "egressd.yml"
    config.write_text(yaml.safe_dump(build(network)), encoding="utf-8")
    program = (sys.executable, str(Path(repeated_sweeps.__file__)), str(config), str(SWEEPS // AT_ONCE))

    def some(_: int) -> list[str]:
        return network.client.run(*program, timeout=550).splitlines()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [json.loads(line) for lines in pool.map(some, range(AT_ONCE)) for line in lines]


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    why = MISSES.get("chance", {}).get(fault.name)
    return [pytest.mark.xfail(reason=why, strict=fault.steady)] if why else []


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name, marks=_marks(one)) for one in FAULTS])
def test_ten_sweeps_agree(fault: Fault, ten_sweeps: list[dict[str, Said]]) -> None:
    """No sweep makes a rule of what is chance, and where nothing is, all say the same."""
    every = [said for one in ten_sweeps for target, said in one.items() if target.startswith(fault.name)]
    assert len(every) == SWEEPS
    verdicts = Counter(" ".join(one for one in said[:2] if one) for said in every)
    assert verdicts.keys() <= {*fault.verdicts}, every
    if fault.steady:
        assert len({tuple(said[:3]) for said in every}) == 1, every
    else:
        assert [said for said in every if said[0] != "ok" and said[4] in LOUD] == []
