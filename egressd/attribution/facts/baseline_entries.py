"""What the baseline shows of the same target: how the far end answers where nothing is in the way."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.recording import BaselineEntry


def baseline_entries(context: TrailContext) -> Iterator[BaselineEntry]:
    """Yield what the baseline saw of the case's target, from whatever source."""
    baseline = context.index.recording.baseline
    if baseline is not None:
        yield from (one for one in baseline.marks if one.target == context.target.id)


def answered_in_baseline(context: TrailContext) -> bool | None:
    """Whether TLS answered for the target then; None where there is no telling."""
    known = [one.answered for one in baseline_entries(context) if one.answered is not None]
    return any(known) if known else None


def http2_in_baseline(context: TrailContext) -> bool:
    """Whether HTTP/2 was agreed upon then."""
    return any(one.alpn == "h2" for one in baseline_entries(context))


def tls13_in_baseline(context: TrailContext) -> bool:
    """Whether TLS 1.3 was agreed upon then."""
    return any(one.version == "TLSv1.3" and not one.ending for one in baseline_entries(context))
