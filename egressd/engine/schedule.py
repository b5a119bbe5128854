"""What is probed when: the daemon's grid of sweeps, and what a watch probes next. Pure.

Sweeps start on a grid of the monotonic clock. Inside a sweep every probe has its slot, always the same share
of the window, so that a target is probed every `interval` exactly. The shares depend on the host: a fleet
that is switched on together does not probe all at once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from msgspec import Struct

from egressd.errors import ExitCode
from egressd.model.endpoint import SampleKind
from egressd.model.plan import Plan, Probe
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep
from egressd.planning.controls import is_loopback_address
from egressd.report.summary import code_of_targets

FIRST_WINDOW = 10.0
"""Seconds over which the first sweep is spread: shorter, as users wait for it."""
MAX_DELAY = 6.0
"""Seconds a host waits at most before its first sweep."""
CLEANUP = 1.25
"""What a probe and the controls it calls for take at most, as a multiple of `probe.deadline`."""
TOGETHER = 5
"""Probes that start together, about. Alone, each takes a fifth more processor time: every packet wakes a
process whose caches others have used. Of many, the last would be measured with the work for those before."""
LONGEST_SLOT = 1.0
"""Seconds between two slots at most: a few targets stay spread."""
SLOW_EVERY = 3600.0
"""Seconds between probes of rows that cost the other side something: wildcard rules, downloads."""
SLOW_FAILING_EVERY = 600.0
"""The same while such a row fails."""
DOWNLOAD = 65536
"""Bytes from which a row counts as a download."""
SETTLE = 1.0
"""Seconds to let what fails together fail together, before it is judged."""
GAP = 2.0
"""Seconds between probes of a suspect."""
HOUR = 3600
WATCH_ALL_EVERY = 60.0
"""Seconds from one pass of a watch over everything to the next."""
MIN_GAP = 1.0
"""Seconds between two passes of a watch, however long they take."""


class Schedule(Struct, frozen=True, kw_only=True):
    """When the daemon sweeps with one configuration on one host. All times in seconds."""

    interval: float
    deadline: float
    """What one probe may take."""
    identity: str
    """What tells this host from others; only its hash is used."""
    limit: float | None = None
    """What one sweep may take, where the operator says."""

    @classmethod
    def of(cls, settings: Settings, identity: str) -> Schedule:
        """Return the schedule for settings."""
        limits = settings.limits
        return cls(
            interval=settings.interval,
            deadline=limits.deadline,
            identity=identity,
            limit=limits.sweep_deadline,
        )

    @property
    def window(self) -> float:
        """Over how long starts are spread, so that a sweep of silent targets still ends in time."""
        fitting = min(self.interval / 2, self.interval - CLEANUP * self.deadline - GAP)
        return max(self.interval / 10, fitting)

    @property
    def first_window(self) -> float:
        """The same for the first sweep."""
        return min(self.window, FIRST_WINDOW)

    @property
    def sweep_deadline(self) -> float:
        """What one sweep may take."""
        return self.limit or max(self.interval, self.window + CLEANUP * self.deadline + GAP)

    @property
    def delay(self) -> float:
        """How long this host waits before its first sweep."""
        return min(self.interval / 10, MAX_DELAY) * share(self.identity, "delay")

    def start(self, number: int) -> float:
        """Return when a sweep starts, since the first one; no target waits longer than `interval`."""
        return number * self.interval - (self.window - self.first_window) if number else 0.0

    def after(self, elapsed: float) -> int:
        """Return the number of the next sweep whose start is not past."""
        number = math.ceil((elapsed + self.window - self.first_window) / self.interval)
        return max(1, number)

    def starts(self, probes: Collection[Probe], *, window: float) -> Mapping[str, float]:
        """Return when each probe of a plan starts, since its sweep did.

        `window` changes the length of the slots and not their number: a target keeps its place.
        """
        enough = 1 << (len(probes) // TOGETHER).bit_length()
        slots = max(enough, math.ceil(self.window / LONGEST_SLOT))
        phase, own = share(self.identity, "slot"), partial(share, self.identity)
        return {one.id: window * (int(slots * own(one.id)) + phase) / slots for one in probes}

    def is_slow_due(self, probe: Probe, number: int) -> bool:
        """Say whether a slow probe is part of a sweep; their turns are spread as well."""
        every = max(1, math.ceil(SLOW_EVERY / self.interval))
        return (number + int(share(self.identity, probe.id) * every)) % every == 0


def share(identity: str, name: str) -> float:
    """Return a stable number from 0 up to 1, spread evenly over names and hosts."""
    digest = hashlib.sha256(f"{identity}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def hourly_label(identity: str, timestamp: float) -> str:
    """Return the random label of the hour of a Unix timestamp: a restart does not change it."""
    digest = hashlib.sha256(f"{identity}\0label\0{int(timestamp) // HOUR}".encode()).hexdigest()
    return f"egressd-probe-{digest[:8]}"


def slow_probes(plan: Plan) -> frozenset[str]:
    """Return the probes that cost the other side something: a wildcard's random label, or a download."""
    random = {one.id for one in plan.targets if one.sample is SampleKind.RANDOM}
    return frozenset(one.id for one in plan.probes if _is_download(one) or random.issuperset(one.targets))


def answers_for(probe: Probe, keys: AbstractSet[tuple[str, str]]) -> bool:
    """Say whether a probe answers for one of some targets, each given with its source."""
    return any((target, probe.source) in keys for target in probe.targets)


class Turn(Struct, frozen=True, kw_only=True):
    """One pass of a watch."""

    probes: tuple[Probe, ...]
    """What fails comes first."""
    everything: bool
    """Whether what is ok is probed, too."""
    last: bool = False
    """Whether no probe is left out: if all is ok then, the watch is over."""


def next_turn(
    plan: Plan, sweep: Sweep | None, *, since: float, every: float, simulated: bool = False
) -> Turn:
    """Choose what a watch probes next; `since` is how many seconds ago everything was probed.

    Wildcard rules and downloads that are ok cost the other side something, and wait for the last pass. Where
    it is `simulated` they cost nothing, and every pass is over everything: any fault may have been switched.
    """
    failing = failing_keys(sweep) if sweep is not None else frozenset()
    first = tuple(one for one in plan.probes if answers_for(one, failing))
    rest = tuple(one for one in plan.probes if not answers_for(one, failing))
    if sweep is None or is_over(sweep) or simulated:
        return Turn(probes=(*first, *rest), everything=True, last=True)
    if since < max(WATCH_ALL_EVERY, every):
        return Turn(probes=first or rest, everything=not first)
    slow = slow_probes(plan)
    return Turn(probes=(*first, *(one for one in rest if one.id not in slow)), everything=True)


def is_simulated(plan: Plan) -> bool:
    """Say whether all that is probed is redirected to this host, as a lab's configuration has it."""
    return bool(plan.probes) and all(
        not one.via_proxy and is_loopback_address(one.connect_to.address if one.connect_to else one.host)
        for one in plan.probes
    )


def is_over(sweep: Sweep) -> bool:
    """Say whether every required target can be reached."""
    return code_of_targets(sweep) is ExitCode.OK


def failing_keys(sweep: Sweep) -> frozenset[tuple[str, str]]:
    """Return the targets and sources that can't be reached, as far as is known."""
    return frozenset(
        (judged.target, one.source)
        for judged in sweep.verdicts
        for one in judged.by_source
        if not one.verdict.outcome.reachable
    )


def gap_before(*, began: float, now: float, every: float) -> float:
    """Return the seconds until the next pass: they begin every `every` seconds, with a least gap between."""
    return max(MIN_GAP, began + every - now)


def _is_download(probe: Probe) -> bool:
    return (probe.expect.min_bytes or 0) >= DOWNLOAD or probe.expect.sha256 is not None
