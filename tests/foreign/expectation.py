"""What a report may say of a target: outcomes, reasons and parties that are right, and how sure it may be.

Several answers can be right. What happened and who did it are two claims, each with bounds of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from egressd.model.verdict import Confidence

LEVELS = tuple(Confidence)
"""The surest first."""
SERVER = ("azure_service", "endpoint_owner")
"""The far end: Azure's for rows of the catalog, else its owner's."""
ON_THE_PATH = ("tls_inspection", "transparent_proxy", "firewall_l7", "unknown_middlebox")
"""Devices that read what passes."""
FIREWALLS = ("firewall_l3l4", "firewall_l7")
IN_DNS = ("dns_filter", "dns_resolver")
FAILED = "blocked down"


def _surer(one: str, other: str) -> bool:
    return LEVELS.index(Confidence(one)) < LEVELS.index(Confidence(other))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The right answers for one target."""

    name: str
    outcomes: tuple[str, ...] = ("ok",)
    reasons: tuple[str, ...] = ()
    """Any of these; an empty word stands for no reason; (): any reason."""
    blames: tuple[str, ...] = ()
    """Any of these, as surely as it likes; an empty word stands for nobody; (): anybody."""
    most: str = Confidence.CONFIRMED
    """The highest confidence of what happened."""
    most_blame: str = Confidence.CONFIRMED
    """The highest confidence that anybody may be blamed with."""
    bounds: Mapping[str, str] = field(default_factory=dict)
    """Parties that may be blamed no more surely than this; those of `blames` need none."""
    never: tuple[str, ...] = ()
    """Codes that must not be said, not even beside the reason."""
    reason_bounds: Mapping[str, str] = field(default_factory=dict)
    """Reasons that may be said no more surely than this."""
    ok_with_doubt: bool = False
    """Whether an ok is right only if it is less than confirmed, or if a code beside it says what is odd."""

    def mismatches(self, target: Mapping[str, Any]) -> list[str]:
        """Return how a target's report differs from every right answer."""
        found = [
            *self._outcome_mismatches(target),
            *self._reason_mismatches(target),
            *self.blame_mismatches(target),
        ]
        return [f"{'; '.join(found)} - said: {describe(target)}"] if found else []

    def _outcome_mismatches(self, target: Mapping[str, Any]) -> list[str]:
        if target["outcome"] not in self.outcomes:
            return [f"the outcome is not {' or '.join(self.outcomes)}"]
        certain = target["confidence"] == "confirmed" and not target["also"]
        if self.ok_with_doubt and target["outcome"] == "ok" and certain:
            return ["ok is confirmed"]
        return []

    def _reason_mismatches(self, target: Mapping[str, Any]) -> list[str]:
        said = {target["reason"], *target["also"]}
        found = [f"says {code}" for code in self.never if code in said]
        if self.reasons and (target["reason"] or "") not in self.reasons:
            found.append(f"the reason is not {' or '.join(one or 'none' for one in self.reasons)}")
        most = self.reason_bounds.get(target["reason"] or "", self.most)
        if target["reason"] and _surer(target["confidence"], most):
            found.append(f"what happened is surer than {most}")
        return found

    def blame_mismatches(self, target: Mapping[str, Any]) -> list[str]:
        """Return why the blame of a target's report, or of a finding about it, is wrong."""
        blame, sure = target["blame"] or "", blame_confidence(target)
        if blame and _surer(sure, self.most_blame):
            return [f"blames {blame} more surely than {self.most_blame}"]
        if blame in self.blames or (not self.blames and blame not in self.bounds):
            return []
        if blame in self.bounds:
            most = self.bounds[blame]
            return [f"blames {blame} more surely than {most}"] if _surer(sure, most) else []
        return [] if self._suspected(target) else [f"blames {blame or 'nobody'}"]

    def _suspected(self, target: Mapping[str, Any]) -> bool:
        """Whether a right party is among the suspects, and the blame is only a guess."""
        suspects = {one["blame"] for one in target["suspects"]}
        return not _surer(blame_confidence(target), Confidence.LOW) and bool(suspects & {*self.blames})

    def only_suspected(self, target: Mapping[str, Any]) -> bool:
        """Whether the blame is right only because the right party is among the suspects of a guess."""
        named = (target["blame"] or "") in (*self.blames, *self.bounds)
        return bool(self.blames) and not named and self._suspected(target)

    def wrong_certainties(self, target: Mapping[str, Any]) -> list[str]:
        """Return the claims that are confirmed and wrong, and an ok where a client fails."""
        found = []
        if target["outcome"] == "ok" and self._outcome_mismatches(target):
            found.append("ok where a client fails")
        if target["reason"] and target["confidence"] == "confirmed" and self._reason_mismatches(target):
            found.append("what happened is wrong and confirmed")
        if blame_confidence(target) == "confirmed" and self.blame_mismatches(target):
            found.append("who did it is wrong and confirmed")
        return [f"{self.name}: {'; '.join(found)} - said: {describe(target)}"] if found else []


def blame_confidence(target: Mapping[str, Any]) -> str:
    """Return how sure the blame is; the least where nobody is blamed."""
    return str(target["blame_confidence"] or "inconclusive")


def describe(target: Mapping[str, Any]) -> str:
    """Return the verdict in one line, for a failing test and the scoreboard."""
    also = f", also {' '.join(target['also'])}" if target["also"] else ""
    blamed = f"{target['blame']} {blame_confidence(target)}" if target["blame"] else "nobody"
    return f"{target['outcome']} {target['reason'] or '-'} {target['confidence']}, {blamed}{also}"


def ok(name: str) -> Row:
    """Return the row of a target that works: nobody is blamed."""
    return Row(name=name, reasons=("",), blames=("",))


def row(
    name: str,
    outcomes: str,
    reasons: str = "",
    blames: tuple[str, ...] = (),
    *,
    never: str = "",
    bounds: Mapping[str, str] | None = None,
    **more: Any,
) -> Row:
    """Return a row from words separated by blanks; a lone `-` among the reasons stands for none."""
    return Row(
        name=name,
        outcomes=tuple(outcomes.split()),
        reasons=tuple(one if one != "-" else "" for one in reasons.split()),
        blames=blames,
        never=tuple(never.split()),
        bounds=bounds or {},
        **more,
    )


def at_most(level: str, *parties: str) -> dict[str, str]:
    """Return a bound for parties."""
    return dict.fromkeys(parties, level)
