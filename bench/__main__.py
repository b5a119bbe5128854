"""All that egressd's cost is judged by, in one run and one table of goals: `python -m bench`."""

from __future__ import annotations

import argparse

from bench import compare, daemon, hold, scale, today
from bench.fleet import __main__ as fleet
from bench.goals import print_goals
from bench.network import EXPORTER, bench_network


def main() -> None:
    """Measure all, or print what is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--runs", type=int, default=5, help="rounds of the sweeps that are compared")
    runs: int = parser.parse_args().runs
    with bench_network(EXPORTER) as namespace:
        figures = (
            *compare.measure(namespace, runs),
            *daemon.measure(namespace),
            *hold.measure(namespace),
            *scale.measure(namespace),
        )
        today.measure(namespace)
    print_goals((*figures, *fleet.measure()))


if __name__ == "__main__":
    main()
