"""A foreign suite: a world with many faults side by side, swept once, and what is right of each target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.foreign.expectation import Row
from tests.net.run_egressd import Run, sweep
from tests.net.topology import Network, temporary_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A world of one foreign suite; the id of a row's endpoint is its name in lower case."""

    name: str
    build: Callable[[Network], dict[str, Any]]
    """Starts the servers; returns the configuration to sweep with."""
    rows: tuple[Row, ...]

    def sweep(self) -> Run:
        """Build the network, sweep it once, and remove it."""
        with temporary_network() as network:
            return sweep(network, self.build(network))


def reported(run: Run, row: Row) -> dict[str, Any]:
    """Return the report of a row's target."""
    found: dict[str, Any] = next(one for one in run.report["targets"] if one["endpoint"] == row.name.lower())
    return found
