"""The advice of a reason for one target or several, from every source that they fail from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from egressd.attribution.advice.names import listed
from egressd.attribution.advice.values import source_order, values_of_all
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import Reason
from egressd.attribution.reasons.by_path import holds_in_tunnel
from egressd.model.endpoint import Inspection

FORBIDDEN = "The documents for this endpoint do not allow TLS inspection: exempt it."
FORBIDDEN_FOR = "The documents do not allow TLS inspection for"
ABOUT_INSPECTION = ("tls_mitm_", "site_inspection_")
"""How the codes of causes begin in which a device terminates TLS."""
IN_PART = "Not every source needs every name: the targets in the report show which does."


def advise(reason: Reason, contexts: Sequence[TrailContext], values: Mapping[str, str]) -> str:
    """Return the advice of a reason for one target, seen from one source or more.

    Empty where it does not hold for the path of one of them.
    """
    if any(one.proxied for one in contexts) and not holds_in_tunnel(reason):
        return ""
    text = reason.advise(values)
    inspection = contexts[0].target.inspection
    forbidden = reason.code.startswith("tls_mitm_") and inspection is Inspection.FORBIDDEN
    return f"{text} {FORBIDDEN}" if forbidden else text


def advise_all(reason: Reason, contexts: Sequence[TrailContext], **values: str) -> str:
    """Return the advice of a reason for several targets. `values` override.

    Empty where it does not hold for the path of one of them.
    """
    if not contexts:
        return reason.advise(values)
    if any(one.proxied for one in contexts) and not holds_in_tunnel(reason):
        return ""
    text = reason.advise(values_of_all(contexts) | values)
    if all(one in reason.advice for one in ("{source}", "{destination}")) and _is_partial(contexts):
        text = f"{text} {IN_PART}"
    if not reason.code.startswith(ABOUT_INSPECTION):
        return text
    inspection = ((one.target.destination, one.target.inspection) for one in contexts)
    forbidden = dict.fromkeys(name for name, one in inspection if one is Inspection.FORBIDDEN)
    return f"{text} {FORBIDDEN_FOR} {listed(forbidden)}." if forbidden else text


def _is_partial(contexts: Sequence[TrailContext]) -> bool:
    """Whether some name is not needed from some of the sources."""
    names = {one.target.destination for one in contexts}
    pairs = {(one.target.destination, one.source) for one in contexts}
    return len(pairs) < len(names) * len(source_order(contexts))
