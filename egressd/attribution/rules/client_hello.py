"""Rules for ClientHellos of other sizes and forms: lost when they take two segments, or without a name."""

from __future__ import annotations

from egressd.attribution.certainty import at, contrasted
from egressd.attribution.control_results.client_hello import (
    ONE_SEGMENT,
    hello_answered,
    hello_lost,
)
from egressd.attribution.control_results.contrast import Contrast, mss_contrast, passed_if
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import needs, on_failure
from egressd.attribution.rules.rule import Rule
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence, Outcome


def _answered(context: TrailContext) -> bool:
    return context.tls is not None and context.tls.failure is None


def _large_lost(context: TrailContext) -> bool:
    """Whether small ClientHellos are answered at a place where large ones are not, by turns."""
    return _answered(context) and hello_lost(context, ControlKind.LARGE_HELLO)


def _fits_small_segments(context: TrailContext) -> bool | None:
    return hello_answered(context, ControlKind.LARGE_HELLO, max_segment=ONE_SEGMENT)


@needs(Clue.CONTROLS)
def _cannot_reassemble(context: TrailContext) -> bool:
    """Whether the large ClientHello is lost in segments of any size: it is their number that matters."""
    return _large_lost(context) and _fits_small_segments(context) is not True


@needs(Clue.CONTROLS)
def _mtu_too_small(context: TrailContext) -> bool:
    return _large_lost(context) and _fits_small_segments(context) is True


@on_failure
def _only_small_passes(context: TrailContext) -> bool:
    """Whether the usual ClientHello is large and lost, and a small one is answered, whatever the segments."""
    tls = context.tls
    if tls is None or tls.failure in (None, Failure.VERIFY) or tls.server_hello or tls.alert is not None:
        return False
    small_passes = hello_answered(context, ControlKind.SMALL_HELLO) is True
    return tls.hello_bytes > ONE_SEGMENT and small_passes and not mss_contrast(context).separates


def _by_segments(context: TrailContext) -> Contrast:
    """Compare with the same ClientHello in smaller segments; decisive once that ran, whatever its result."""
    return Contrast.NONE if _fits_small_segments(context) is None else Contrast.FLIP


def _by_size(context: TrailContext) -> Contrast:
    return passed_if(hello_answered(context, ControlKind.SMALL_HELLO) is True)


@needs(Clue.CONTROLS)
def _nameless_denied(context: TrailContext) -> bool:
    """Whether a ClientHello without a name gets no TLS answer where one with a name does."""
    named = _answered(context) or (context.tls is not None and context.tls.server_hello)
    return named and hello_lost(context, ControlKind.NO_SNI)


@needs(Clue.CONTROLS)
def _late_name_missed(context: TrailContext) -> bool:
    large = hello_answered(context, ControlKind.LARGE_HELLO) is True
    return _answered(context) and large and hello_lost(context, ControlKind.SNI_LAST)


def _degraded(_: TrailContext) -> Outcome:
    """Egressd gets through; clients with a larger ClientHello do not."""
    return Outcome.DEGRADED


HELLO_RULES = (
    Rule(reason="tls_large_hello_intolerant", when=_only_small_passes, certainty=contrasted(_by_size)),
)
"""What broke a conversation whose own ClientHello is large."""

HELLO_NOTES = (
    Rule(
        reason="tls_large_hello_intolerant",
        when=_cannot_reassemble,
        outcome=_degraded,
        certainty=contrasted(_by_segments),
    ),
    Rule(
        reason="tls_pmtu_blackhole_outbound",
        when=_mtu_too_small,
        outcome=_degraded,
        certainty=contrasted(_by_segments),
    ),
    Rule(
        reason="tls_sni_position_intolerant",
        when=_late_name_missed,
        outcome=_degraded,
        certainty=at(Confidence.MEDIUM),
    ),
    Rule(reason="tls_no_sni_denied", when=_nameless_denied, certainty=at(Confidence.HIGH)),
)
"""What egressd's ClientHello gets through, and an agent's would not."""
