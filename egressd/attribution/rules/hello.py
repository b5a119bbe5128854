"""Hellos of other sizes and forms: what gets through in one piece and not in two, or not without a name."""

from __future__ import annotations

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast, mss_contrast
from egressd.attribution.facts.shown.hello import LARGEST_SMALL, tried
from egressd.attribution.rules.rule import EXPLICIT, STAGED, Rule
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame, Outcome

SMALLER = 1200


def _answered(case: Case) -> bool:
    return case.tls is not None and case.tls.failure is None


def _large_lost(case: Case) -> bool:
    """Whether the usual small hello was answered at a place where a large one was not."""
    return _answered(case) and tried(case, ControlKind.LARGE_HELLO) is False


def _fits_smaller(case: Case) -> bool | None:
    return tried(case, ControlKind.LARGE_HELLO, max_segment=SMALLER)


def _cannot_reassemble(case: Case) -> bool:
    """Whether the size of the packets makes no difference, but that there are two of them does."""
    return _large_lost(case) and _fits_smaller(case) is not True


def _path_too_small(case: Case) -> bool:
    return _large_lost(case) and _fits_smaller(case) is True


def _only_small_passes(case: Case) -> bool:
    """Whether the usual hello is large and lost, and a small one is answered, whatever the segments."""
    tls = case.tls
    if tls is None or tls.failure in (None, Failure.VERIFY) or tls.server_hello or tls.alert is not None:
        return False
    large = tls.hello_bytes > LARGEST_SMALL
    return large and tried(case, ControlKind.SMALL_HELLO) is True and mss_contrast(case) is not Contrast.FLIP


def _by_segments(case: Case) -> Contrast:
    """Compare with the same hello in smaller segments; decisive once that ran and failed as well."""
    return Contrast.NONE if _fits_smaller(case) is None else Contrast.FLIP


def _by_size(case: Case) -> Contrast:
    return Contrast.PASSED if tried(case, ControlKind.SMALL_HELLO) is True else Contrast.NONE


def _nameless_denied(case: Case) -> bool:
    """Whether a hello without a name gets no TLS answer where one with a name does."""
    named = _answered(case) or (case.tls is not None and case.tls.server_hello)
    return named and tried(case, ControlKind.NO_SNI) is False


def _late_name_missed(case: Case) -> bool:
    large = tried(case, ControlKind.LARGE_HELLO) is True
    return _answered(case) and large and tried(case, ControlKind.SNI_LAST) is False


def _degraded(_: Case) -> Outcome:
    """We get through; who says a larger hello does not."""
    return Outcome.DEGRADED


def _link(_: Case) -> Blame:
    return Blame.PATH_MTU_LINK


HELLO_RULES = (
    Rule(
        reason="tls_large_hello_intolerant",
        when=_only_small_passes,
        score=STAGED,
        contrast=_by_size,
    ),
)
"""What broke a conversation whose own hello is large."""

HELLO_NOTES = (
    Rule(
        reason="tls_large_hello_intolerant",
        when=_cannot_reassemble,
        score=STAGED,
        silent=True,
        contrast=_by_segments,
        outcome=_degraded,
    ),
    Rule(
        reason="tls_pmtu_blackhole_outbound",
        when=_path_too_small,
        score=STAGED,
        contrast=_by_segments,
        outcome=_degraded,
        blame=_link,
    ),
    Rule(reason="tls_sni_position_intolerant", when=_late_name_missed, score=EXPLICIT, outcome=_degraded),
    Rule(reason="tls_no_sni_denied", when=_nameless_denied, score=EXPLICIT, alone=True),
)
"""What a conversation of ours gets through, and an agent's would not."""
