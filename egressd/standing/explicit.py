"""Failures with an answer, which need fewer results to be confirmed than silence does."""

from __future__ import annotations

from collections.abc import Collection

from egressd.model.observation import Failure
from egressd.model.recording import Recording

SILENT = frozenset({Failure.TIMEOUT, Failure.NO_RESOURCES, Failure.OS_ERROR, Failure.INTERNAL_ERROR})
"""Failures that packet loss or a busy host can cause."""


def explicit_pairs(
    recording: Recording, pairs: Collection[tuple[str, str]] | None
) -> frozenset[tuple[str, str]]:
    """Return the targets and sources all of whose trails ended with an answer, good or bad.

    `pairs`: those to look for; None: all.
    """
    trails = {one.probe: one.trails for one in recording.records}
    found: dict[tuple[str, str], bool] = {}
    for probe in recording.plan.probes:
        if probe.contrast:
            continue
        ends = [one.last for one in trails.get(probe.id, ())]
        answered = bool(ends) and all(one is not None and one.failure not in SILENT for one in ends)
        for target in probe.targets:
            key = (target, probe.source)
            if pairs is None or key in pairs:
                found[key] = found.get(key, True) and answered
    return frozenset(key for key, answered in found.items() if answered)
