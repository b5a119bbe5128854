"""What people were told: Alertmanager's notifications, alert by alert, against what was wrong and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FIRING, RESOLVED = "firing", "resolved"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One alert in one notification."""

    at: float
    status: str
    labels: Mapping[str, str]
    notes: Mapping[str, str]

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """What Alertmanager knows it by."""
        return tuple(sorted(self.labels.items()))

    @property
    def by_egressd(self) -> bool:
        """Whether egressd sent it."""
        return self.labels.get("sent_by") == "egressd"

    def __str__(self) -> str:
        about = {"target", "host", "finding", "reason", "receiver", "profile"}
        words = (f"{name}={value}" for name, value in sorted(self.labels.items()) if name in about)
        who = "egressd" if self.by_egressd else "the rules"
        return f"{self.at:7.1f} {self.status} {self.labels['alertname']} by {who}: {', '.join(words)}"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Something that was wrong for a while, and the alert that should say so."""

    began: float
    ended: float
    alertname: str
    labels: Mapping[str, str]

    def is_told_by(self, told: Told) -> bool:
        """Whether an alert is about it."""
        wanted = {"alertname": self.alertname, **self.labels}
        return wanted.items() <= told.labels.items()


def told(notifications: Iterable[Mapping[str, Any]], instance: str) -> Iterator[Told]:
    """Yield what was told about one instance, in order; what Alertmanager repeats in a group is told once."""
    last: dict[object, str] = {}
    for message in notifications:
        for alert in message["alerts"]:
            one = Told(
                at=message["at"],
                status=alert["status"],
                labels=alert["labels"],
                notes=alert["annotations"],
            )
            if one.labels.get("instance") == instance and last.get(one.identity) != one.status:
                last[one.identity] = one.status
                yield one


def mistakes(pages: Iterable[Told], wrong: Iterable[Wrong]) -> Iterator[str]:
    """Yield what one speaker told falsely, twice, at the wrong time or not at all."""
    found = list(pages)
    for one in found:
        if not any(each.is_told_by(one) for each in wrong):
            yield f"nothing was wrong: {one}"
        if ("egressd_alert" in one.notes) is not one.by_egressd:
            yield f"the annotations are of the other: {one}"
    for each in wrong:
        about = [one for one in found if each.is_told_by(one)]
        if [one.status for one in about] != [FIRING, RESOLVED]:
            yield f"not told once and ended once: {each}: {[str(one) for one in about]}"
        elif not each.began < about[0].at < each.ended < about[1].at:
            yield f"told at the wrong time: {each}: {[str(one) for one in about]}"
