"""What the baseline, an earlier sweep or one from an open network, holds of the same target."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.peer_comparison import TLS13
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.recording import BaselineEntry


def baseline_entries(context: TrailContext) -> Iterator[BaselineEntry]:
    """Yield the entries of the target, from every source."""
    baseline = context.index.recording.baseline
    if baseline is not None:
        yield from (one for one in baseline.marks if one.target == context.target.id)


def answered_in_baseline(context: TrailContext) -> bool | None:
    """Whether TLS answered for the target; None where the baseline does not say."""
    known = [one.answered for one in baseline_entries(context) if one.answered is not None]
    return any(known) if known else None


def http2_in_baseline(context: TrailContext) -> bool:
    """Whether HTTP/2 was negotiated."""
    return any(one.alpn == "h2" for one in baseline_entries(context))


def tls13_in_baseline(context: TrailContext) -> bool:
    """Whether TLS 1.3 was negotiated."""
    return any(one.version == TLS13 and not one.ending for one in baseline_entries(context))
