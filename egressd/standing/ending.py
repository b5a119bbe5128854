"""How targets ended, in the words of the socket: by its ending a failure is known, whatever its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from egressd.model.observation import Failure
from egressd.model.recording import Recording

SILENT = frozenset({Failure.TIMEOUT, Failure.NO_RESOURCES, Failure.OS_ERROR, Failure.INTERNAL_ERROR})
"""Failures that packet loss or a busy host can cause."""


class ProbeEnding(Struct, frozen=True, kw_only=True):
    """How the trails of one target and source ended."""

    words: frozenset[str] = frozenset()
    """The phase and failure of each trail, as `tls/reset`; `tls/` where it did not fail."""
    explicit: bool = False
    """Whether all of them ended with an answer, good or bad: such a failure needs fewer results."""

    @property
    def text(self) -> str | None:
        """The words as one text; None: nothing was seen."""
        return " ".join(sorted(self.words)) or None


UNSEEN = ProbeEnding()


def endings_of(
    recording: Recording, pairs: Collection[tuple[str, str]] | None
) -> Mapping[tuple[str, str], ProbeEnding]:
    """Return how targets ended from each source; `pairs`: those to look for, None: all."""
    trails = {one.probe: one.trails for one in recording.records}
    found: dict[tuple[str, str], ProbeEnding] = {}
    for probe in recording.plan.probes:
        if probe.contrast:
            continue
        ends = [one.last for one in trails.get(probe.id, ())]
        answered = bool(ends) and all(one is not None and one.failure not in SILENT for one in ends)
        words = frozenset(f"{one.phase.value}/{one.failure or ''}" for one in ends if one is not None)
        for target in probe.targets:
            key = (target, probe.source)
            if pairs is None or key in pairs:
                known = found.get(key)
                found[key] = ProbeEnding(
                    words=words | (known.words if known else frozenset()),
                    explicit=answered and (known is None or known.explicit),
                )
    return found
