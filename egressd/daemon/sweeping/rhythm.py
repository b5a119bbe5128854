"""When what is probed. Pure: a function of the settings, this host's identity and a sweep's number.

Sweeps start on a grid of the monotonic clock. Inside a sweep every probe starts at a moment of its own,
always the same share of the window, so that a target is seen every `interval` exactly. The shares depend
on the host: a fleet that is switched on together does not march in step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from egressd.model.endpoint import SampleKind
from egressd.model.plan import Plan, Probe
from egressd.model.settings import Settings
from egressd.standing.lifecycle import Thresholds

FIRST_WINDOW = 10.0
"""Seconds over which the first sweep is spread: somebody may be waiting for it."""
LONGEST_DELAY = 6.0
"""Seconds a host waits at most before its first sweep."""
CLEANUP = 1.25
"""What a probe and the controls it calls for take at most, as a multiple of `probe.deadline`."""
SLOW_EVERY = 3600.0
"""Seconds between looks at rows that cost the other side something: wildcard rules, downloads."""
SLOW_FAILING_EVERY = 600.0
"""The same while such a row fails."""
DOWNLOAD = 65536
"""Bytes from which a row counts as a download."""
SETTLE = 1.0
"""Seconds to let what fails together fail together, before it is judged."""
GAP = 2.0
"""Seconds between looks at a suspect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The schedule of one configuration on one host. All times in seconds."""

    interval: float
    deadline: float
    """What one probe may take."""
    identity: str
    """What tells this host from others; only its hash is used."""
    limit: float | None = None
    """What one sweep may take, where the operator says."""

    @classmethod
    def of(cls, settings: Settings, identity: str) -> Rhythm:
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
        return min(self.interval / 10, LONGEST_DELAY) * share(self.identity, "delay")

    def start(self, number: int) -> float:
        """Return when a sweep starts, since the first one; no target waits longer than `interval`."""
        return number * self.interval - (self.window - self.first_window) if number else 0.0

    def after(self, elapsed: float) -> int:
        """Return the number of the next sweep whose start is not past."""
        number = math.ceil((elapsed + self.window - self.first_window) / self.interval)
        return max(1, number)

    def starts(self, probes: Iterable[Probe], *, window: float) -> Mapping[str, float]:
        """Return when each probe starts, since its sweep did."""
        return {one.id: window * share(self.identity, one.id) for one in probes}

    def is_slow_due(self, probe: Probe, number: int) -> bool:
        """Say whether a slow probe is part of a sweep; their turns are spread as well."""
        every = max(1, math.ceil(SLOW_EVERY / self.interval))
        return (number + int(share(self.identity, probe.id) * every)) % every == 0

    def detects_within(self, patience: Thresholds) -> float:
        """Return the seconds from a fault to its confirmation, however silent it is.

        The next start is at most an interval away; then the probe, a round of quick looks that may be
        under way for others, and each further look end by their deadlines, controls included.
        """
        looks = max(0, max(patience.silent, patience.explicit) - 1)
        rounds = (1 + looks) * (GAP + CLEANUP * self.deadline)
        return self.interval + CLEANUP * self.deadline + SETTLE + rounds


def share(identity: str, name: str) -> float:
    """Return a stable number from 0 up to 1, spread evenly over names and hosts."""
    digest = hashlib.sha256(f"{identity}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def label_of(identity: str, hour: int) -> str:
    """Return the random label of an hour: a restart does not make another."""
    digest = hashlib.sha256(f"{identity}\0label\0{hour}".encode()).hexdigest()
    return f"egressd-probe-{digest[:8]}"


def slow_probes(plan: Plan) -> frozenset[str]:
    """Return the probes that cost the other side something: a wildcard's random label, or a download."""
    random = {one.id for one in plan.targets if one.sample is SampleKind.RANDOM}
    return frozenset(one.id for one in plan.probes if _is_download(one) or random.issuperset(one.targets))


def _is_download(probe: Probe) -> bool:
    return (probe.expect.min_bytes or 0) >= DOWNLOAD or probe.expect.sha256 is not None
