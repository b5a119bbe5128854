"""The configuration of a lab: its switches move hosts to other ports, and write the file anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from egressd.config import Flags, load_settings
from egressd.errors import EgressdError
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings


@dataclass(slots=True, kw_only=True)
class LabConfiguration:
    """A file that a lab writes, and when it did last."""

    path: Path
    flags: Flags
    catalog: Catalog
    _written: int = field(init=False)

    def __post_init__(self) -> None:
        self._written = self._stamp()

    def follow(self, settings: Settings) -> Settings | None:
        """Return settings with where the lab's hosts are by now; None: nothing moved.

        A file that can't be read, because the lab was closed, moves nothing.
        """
        stamp = self._stamp()
        if stamp == self._written:
            return None
        try:
            fresh = load_settings(self.path, self.flags, catalog=self.catalog)
        except EgressdError:
            return None
        self._written = stamp
        return (
            None
            if fresh.connect_to == settings.connect_to
            else replace(settings, connect_to=fresh.connect_to)
        )

    def _stamp(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0
