"""What the baseline, an earlier sweep or one from an open network, holds of the same target.

A baseline may have been taken behind the same devices, in the same broken state. What failed in it tells
nothing of the far end, unless it was taken elsewhere and all else worked there; nor does what a device on the
way answered.
"""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.peer_comparison import TLS13
from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import TcpObservation
from egressd.model.recording import Baseline, BaselineEntry, Recording
from egressd.model.verdict import Outcome

REACHED = frozenset({Outcome.OK.value, Outcome.DEGRADED.value})
FAILED = frozenset({Outcome.BLOCKED.value, Outcome.DOWN.value})


def baseline_entries(context: TrailContext) -> Iterator[BaselineEntry]:
    """Yield the entries of the target, from every source."""
    yield from context.index.once(_entries_by_target).get(context.target.id, ())


def _entries_by_target(index: SweepIndex) -> dict[str, list[BaselineEntry]]:
    found: dict[str, list[BaselineEntry]] = {}
    baseline = index.recording.baseline
    for one in baseline.marks if baseline is not None else ():
        found.setdefault(one.target, []).append(one)
    return found


def answered_in_baseline(context: TrailContext) -> bool | None:
    """Whether the far end answered TLS for the target; None where the baseline does not show it."""
    known = [one.answered for one in baseline_entries(context) if one.answered is not None]
    if any(known):
        return True
    shows = bool(known) and context.index.once(_is_from_open_network)
    return False if shows else None


def _is_from_open_network(index: SweepIndex) -> bool:
    """Whether the baseline was taken elsewhere, where all else worked."""
    baseline = index.recording.baseline
    return baseline is not None and is_elsewhere(baseline, index.recording) and _is_open(baseline)


def is_elsewhere(baseline: Baseline, recording: Recording) -> bool:
    """Whether the baseline is known to be of another host, with no address in common."""
    if baseline.host is None or not baseline.addresses:
        return False
    here = addresses_of_host(recording)
    return baseline.host != recording.vantage.host and bool(here) and set(baseline.addresses).isdisjoint(here)


def _is_open(baseline: Baseline) -> bool:
    """Whether the network of the baseline blocked nothing that is known to exist."""
    outcomes = {one.outcome for one in baseline.marks if not one.random}
    return bool(outcomes & REACHED) and not outcomes & FAILED


def addresses_of_host(recording: Recording) -> tuple[str, ...]:
    """Return the addresses of the host that made a sweep."""
    trails = (trail for record in recording.records for trail in record.trails)
    seen = (one.local_address for _, one in observations(trails, TcpObservation))
    named = (one.address for one in recording.vantage.sources)
    known = (*recording.vantage.local_addresses, *named, *seen)
    return tuple(dict.fromkeys(one for one in known if one is not None))


def http2_in_baseline(context: TrailContext) -> bool:
    """Whether the far end itself negotiated HTTP/2."""
    return any(one.alpn == "h2" and one.public is True for one in baseline_entries(context))


def tls13_in_baseline(context: TrailContext) -> bool:
    """Whether the far end itself negotiated TLS 1.3."""
    known = baseline_entries(context)
    return any(one.version == TLS13 and not one.ending and one.public is True for one in known)
