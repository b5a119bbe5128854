"""A program: sweep the foreign suites and print the rows that are wrong, then how many are right of each.

Arguments: names of suites; none: all of them. `--save=FOLDER` keeps the reports. With `--all`, the right rows
are printed too: *suspected* are those that blame another party, as a guess, and have the right one among the
suspects.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.foreign.expectation import describe
from tests.foreign.suite import Suite, reported
from tests.foreign.suites import SUITES, scenario_of
from tests.net.run_egressd import Run


def lines(suite: Suite, run: Run, *, every: bool) -> list[str]:
    """Return one line for each row that is wrong, and what certainty is wrong."""
    found = []
    for row in suite.rows:
        target = reported(run, row)
        wrong = row.mismatches(target)
        found += [f"{suite.name} {row.name}: {one}" for one in wrong]
        if every and not wrong:
            how = "suspected" if row.only_suspected(target) else "right"
            found.append(f"{suite.name} {row.name}: {how} - said: {describe(target)}")
        found += [f"{suite.name} CERTAIN {one}" for one in row.wrong_certainties(target)]
    return found


def main(arguments: list[str]) -> None:
    """Print the scoreboard."""
    every = "--all" in arguments
    saved = [one.partition("=")[2] for one in arguments if one.startswith("--save=")]
    folder = Path(saved[0]) if saved else None
    names = [one for one in arguments if not one.startswith("-")]
    scenarios: dict[tuple[str, str], bool] = {}
    for suite in SUITES:
        if names and not any(suite.name.startswith(one) for one in names):
            continue
        run = suite.sweep()
        if folder is not None:
            (folder / f"{suite.name}.json").write_text(json.dumps(run.report), encoding="utf-8")
        sys.stdout.write("".join(f"{one}\n" for one in lines(suite, run, every=every)))
        for row in suite.rows:
            key = scenario_of(suite, row)
            scenarios[key] = scenarios.get(key, True) and not row.mismatches(reported(run, row))
    for name in dict.fromkeys(key[0] for key in scenarios):
        right = [good for key, good in scenarios.items() if key[0] == name]
        sys.stdout.write(f"{name} {sum(right)} of {len(right)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
