"""The lifecycle of a target, as a table: no belief changes on one look, none flaps on a lost packet."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.model.standing import Lifecycle

OK, SUSPECT, FAILING, RECOVERING = Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many looks in a row it takes to believe something else."""

    worse: int = 3
    """That a target can't be reached any more, or fails in another way."""
    better: int = 2
    """That it can be reached again."""


# From the state, whether the look found the target reachable, and whether patience has run out.
MOVES: dict[tuple[Lifecycle, bool, bool], Lifecycle] = {
    (OK, True, False): OK,
    (OK, True, True): OK,
    (OK, False, False): SUSPECT,
    (OK, False, True): FAILING,
    (SUSPECT, True, False): OK,
    (SUSPECT, True, True): OK,
    (SUSPECT, False, False): SUSPECT,
    (SUSPECT, False, True): FAILING,
    (FAILING, False, False): FAILING,
    (FAILING, False, True): FAILING,
    (FAILING, True, False): RECOVERING,
    (FAILING, True, True): OK,
    (RECOVERING, False, False): FAILING,
    (RECOVERING, False, True): FAILING,
    (RECOVERING, True, False): RECOVERING,
    (RECOVERING, True, True): OK,
}


def move(state: Lifecycle, *, reachable: bool, enough: bool) -> Lifecycle:
    """Return the state after one more look; `enough`: it is the last one that was needed."""
    return MOVES[state, reachable, enough]
