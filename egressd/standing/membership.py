"""Which targets stay with a finding that does not name them any more: a repair is no new failure.

A finding shrinks while its targets are repaired one by one, and may fall below the number of targets that it
is detected from. What it explained stays with it until it works again, or fails in a way of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.observation import Timestamp
from egressd.model.standing import Belief, FindingStanding, Standing
from egressd.model.verdict import Finding, Outcome
from egressd.wording import seconds_between

SETTLE = 600.0
"""Seconds after a repair before what is left may be explained in another way: repairs come in steps."""
Key = tuple[str, str]


class LastLook(Struct, frozen=True, kw_only=True):
    """How a target stands after a pass, over its sources."""

    recovering: bool = False
    """From one of them it was believed to fail, and answered."""
    failing: tuple[Belief, ...] = ()
    """What is believed from those where it has not answered."""
    blind: bool = False
    """From one of them the last result is no evidence, good or bad."""
    moved: bool = False
    """From one of them it is confirmed to fail in another way than before, not only for another reason."""
    repaired: bool = False
    """From one of them it has just been confirmed to work again."""


REMOVED = LastLook(repaired=True)
"""A target that is not planned any more fails no more."""


def last_looks(
    before: Mapping[Key, Standing], after: Iterable[Standing], targets: Collection[str]
) -> Mapping[str, LastLook]:
    """Return how some targets stand after a pass."""
    found: dict[str, LastLook] = {}
    for one in after:
        if one.target in targets:
            look = found.get(one.target, LastLook())
            found[one.target] = _with_source(look, before.get(one.key), one)
    return found


def _with_source(look: LastLook, before: Standing | None, after: Standing) -> LastLook:
    failed = before is not None and not before.up and not before.unknown
    if after.unknown:
        return look
    if after.belief.outcome is Outcome.OK or (failed and after.up):
        return replace(look, repaired=look.repaired or failed)
    if after.recovering:
        return replace(look, recovering=True)
    return replace(
        look,
        failing=(*look.failing, after.belief),
        blind=look.blind or (after.pending is not None and after.pending.outcome is Outcome.UNKNOWN),
        moved=look.moved or (before is not None and failed and _ends_otherwise(before, after)),
    )


def _ends_otherwise(before: Standing, after: Standing) -> bool:
    """Whether a failure became another: its reason may change only because others are judged beside it."""
    if before.belief.key == after.belief.key:
        return False
    if before.ending is None or after.ending is None:
        return before.belief.phase != after.belief.phase
    return before.ending != after.ending


class Remainder(Struct, frozen=True, kw_only=True):
    """What stays with an open finding besides the targets that the last sweep names."""

    failing: tuple[str, ...] = ()
    recovering: tuple[str, ...] = ()
    gone: frozenset[str] = frozenset()
    """Targets that work again, or fail in another way: they have left the finding for good."""
    belief: Belief | None = None
    """What is believed of the first that fails as the finding says, newer than it; None: none does."""
    repaired_at: Timestamp | None = None
    """When a target of the finding was last confirmed to work again."""
    in_repair: bool = False
    """Whether a repair may be under way."""


def remainder(
    old: FindingStanding,
    new: Finding | None,
    looks: Mapping[str, LastLook],
    *,
    now: Timestamp,
    probed: Collection[str] | None,
) -> Remainder:
    """Return what stays with a finding; `probed` are the targets that this pass looked at, None: all."""
    named = frozenset(new.targets) if new is not None else frozenset()
    left = {one: looks.get(one, REMOVED) for one in old.explained if one not in named}
    repaired_at = now if any(one.repaired for one in left.values()) else old.repaired_at
    recovering = tuple(name for name, one in left.items() if one.recovering)
    in_repair = bool(recovering) or (repaired_at is not None and seconds_between(repaired_at, now) < SETTLE)
    failing = tuple(
        name
        for name, one in left.items()
        if one.failing
        and (
            one.blind
            or (probed is not None and name not in probed)
            or _same_claim(old, one)
            or (in_repair and not one.moved)
        )
    )
    alike = (belief for name in failing if _same_claim(old, left[name]) for belief in left[name].failing)
    return Remainder(
        failing=failing,
        belief=next(alike, None),
        recovering=recovering,
        gone=frozenset(
            name
            for name, one in left.items()
            if name not in failing and name not in recovering and (one.repaired or one.moved)
        ),
        repaired_at=repaired_at,
        in_repair=in_repair,
    )


def _same_claim(old: FindingStanding, look: LastLook) -> bool:
    """Whether the target itself is said to fail for the reason of the finding, by the same party."""
    return all((one.reason, one.blame) == (old.reason, old.blame) for one in look.failing)
