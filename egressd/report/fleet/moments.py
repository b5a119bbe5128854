"""When failures began, in words: what is known, and not more."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.fleet.values import FleetVerdict, Onset
from egressd.model.observation import Timestamp
from egressd.wording import seconds_between

PRECISE = 120.0
"""Seconds between the last success and the first failure, up to which the failure's time is told alone."""


def short(moment: Timestamp) -> str:
    """Write a time to the second: `2026-09-21 14:03:20Z`."""
    return f"{moment[:19].replace('T', ' ')}Z"


def onset_text(onset: Onset) -> str:
    """Say when a failure began, to be read after "since"."""
    if onset.after is None:
        return f"{short(onset.by)} or before"
    if seconds_between(onset.after, onset.by) <= PRECISE:
        return short(onset.by)
    day, time = short(onset.by).split(" ")
    return f"between {short(onset.after)} and {time if onset.after.startswith(day) else short(onset.by)}"


def since_text(onsets: Iterable[Onset | None]) -> str:
    """Say when several failures began: the first one, and the last one if that was later."""
    known = sorted((one for one in onsets if one is not None), key=lambda one: one.by)
    if not known:
        return ""
    first, last = known[0], known[-1]
    if seconds_between(first.by, last.by) <= PRECISE:
        return onset_text(first)
    return f"{onset_text(first)}, the last {onset_text(last)}"


def began_text(verdict: FleetVerdict) -> str:
    """Say when what a verdict is about began, and at which site first; empty: not known."""
    if verdict.began is None:
        return ""
    first, last = verdict.onsets[0], verdict.onsets[-1]
    if len(verdict.onsets) == 1:
        return onset_text(first.onset)
    if seconds_between(first.onset.by, last.onset.by) <= PRECISE:
        return f"{onset_text(first.onset)}, at all of them within 2 minutes"
    return f"{onset_text(first.onset)} at {first.site}; the last, {last.site}, {onset_text(last.onset)}"
