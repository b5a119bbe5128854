"""Answers of controls that are kept from one sweep to the next: too conspicuous to ask for again so soon.

Law of the file: an answer is kept with its own times, so a report never takes it for new.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from egressd.clock import monotonic
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control

TTL_SECONDS = {
    ControlKind.HOPS: 3600.0,
    ControlKind.LARGE_HELLO: 600.0,
    ControlKind.SPLIT_HELLO: 3600.0,
    ControlKind.SNI_LAST: 600.0,
    ControlKind.NO_SNI: 600.0,
    ControlKind.REVOCATION: 300.0,
}
"""Seconds for which an answer stands."""
MOST = 2000


@dataclass(slots=True)
class ControlCache:
    """What was asked lately, by the id of the control."""

    _answers: dict[str, tuple[float, Control]] = field(default_factory=dict)

    def get(self, asked: ControlPlan) -> Control | None:
        """Return the answer to the same question, if it still stands."""
        until, answer = self._answers.get(asked.id, (0.0, None))
        if answer is None or monotonic() >= until:
            return None
        same = (answer.address, answer.port, answer.host, answer.url)
        return answer if same == (asked.address, asked.port, asked.host, asked.url) else None

    def put(self, answer: Control) -> None:
        """Keep an answer for as long as its kind stands; the oldest makes room."""
        seconds = TTL_SECONDS.get(answer.kind)
        if seconds is None:
            return
        self._answers.pop(answer.id, None)
        self._answers[answer.id] = (monotonic() + seconds, answer)
        while len(self._answers) > MOST:
            del self._answers[next(iter(self._answers))]
