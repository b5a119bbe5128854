"""The judgement of one target from one source, and what is known of the device that causes it."""

from __future__ import annotations

from msgspec import Struct

from egressd.attribution.probe_judgement import ProbeJudgement
from egressd.attribution.trail_judgement import Match
from egressd.model.plan import Probe, Target
from egressd.model.verdict import Outcome

FAMILY_WIDE = frozenset({"tcp_ipv4_broken", "tcp_ipv6_broken"})
"""A broken family is one cause, whichever router reports it."""


SHOWS_ISSUER = ("tls_mitm_", "local_trust")
"""Prefixes of codes whose device is known by the authority that it signs with."""


class TargetJudgement(Struct, frozen=True, kw_only=True):
    """A target, its probe, and the result; None: it was not probed."""

    target: Target
    probe: Probe
    result: ProbeJudgement | None
    why: str = ""
    """Why there is no result."""
    bug: bool = False
    other_path: ProbeJudgement | None = None
    """The result along the path that is not used, where both were compared."""

    @property
    def source(self) -> str:
        """The name of the source."""
        return self.probe.source

    @property
    def outcome(self) -> Outcome:
        """The outcome for the target."""
        return self.result.outcome if self.result is not None else Outcome.UNKNOWN

    @property
    def code(self) -> str:
        """The reason code; empty where nothing is wrong."""
        if self.result is None:
            return "internal_error" if self.bug else "not_probed"
        return self.result.match.code if self.result.match is not None else ""

    @property
    def deciding_match(self) -> Match | None:
        """The match that shows the cause; for a target that works, that of the other path."""
        results = (one for one in (self.result, self.other_path) if one is not None)
        return next((one.match for one in results if one.match is not None), None)


def device_of(match: Match) -> str:
    """Return what is known of the device: its resolver, issuer, reporting address or proxy."""
    context = match.context
    if match.code in FAMILY_WIDE:
        return ""
    if match.code.startswith("proxy_"):
        return context.trail.path
    if match.code.startswith("dns_"):
        return context.trail.resolver
    if match.code.startswith(SHOWS_ISSUER):
        return context.issuer
    return context.icmp.offender if context.icmp is not None else ""


def is_named_by_peer(match: Match) -> bool:
    """Whether what is known of the device is what it chose to say, maybe for this connection alone."""
    configured = match.code in FAMILY_WIDE or match.code.startswith(("proxy_", "dns_"))
    return not configured and bool(device_of(match))
