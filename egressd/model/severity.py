"""How urgent an alert is, and the labels it is known by: words that settings and alerts share."""

from __future__ import annotations

from enum import StrEnum

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""


class Severity(StrEnum):
    """How urgent it is: by who needs what fails, and by the time a product may be offline."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Severity).index(self)
