"""What the baseline shows of the same target: how the far end answers where nothing is in the way."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.facts.case import Case
from egressd.model.recording import Mark


def marks(case: Case) -> Iterator[Mark]:
    """Yield what the baseline saw of the case's target, from whatever source."""
    baseline = case.whole.recording.baseline
    if baseline is not None:
        yield from (one for one in baseline.marks if one.target == case.target.id)


def answered_before(case: Case) -> bool | None:
    """Whether TLS answered for the target then; None where there is no telling."""
    known = [one.answered for one in marks(case) if one.answered is not None]
    return any(known) if known else None


def had_http2(case: Case) -> bool:
    """Whether HTTP/2 was agreed upon then."""
    return any(one.alpn == "h2" for one in marks(case))


def had_newest(case: Case) -> bool:
    """Whether TLS 1.3 was agreed upon then."""
    return any(one.version == "TLSv1.3" and not one.ending for one in marks(case))
