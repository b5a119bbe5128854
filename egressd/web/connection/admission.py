"""Who may connect: few in all, fewer from one address, and for a new connection an idle one gives way.

So neither a flood nor a client that leaks connections keeps a scrape or a health check out, and the probes
keep their descriptors. Some places are for this host alone: its health check is never kept out by others.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from egressd import clock
from egressd.log import get_logger

MOST = 64
"""Connections at once; `egressd.net.sockets.descriptors` keeps more descriptors than that from the probes."""
SHARE = 32
"""Connections of one address, or of one network of IPv6 (/64)."""
FOR_LOOPBACK = 16
"""Of all, how many only this host may use."""
QUIET = 60.0
"""Seconds without a connection too many, after which the next is another episode, and logged again."""
LOOPBACK = "loopback"

log = get_logger("egressd")


def _nothing() -> None:
    """End nothing: the connection has not begun, or has ended."""


class Slot(Struct, kw_only=True, eq=False):
    """The place of one connection."""

    group: str
    """The address or network it is counted for."""
    since: float
    """When it was opened, or finished a request, on the monotonic clock."""
    close: Callable[[], object] = _nothing
    """Ends the connection at once."""
    answering: bool = False
    """Whether a request is being answered."""
    blocked: bool = False
    """Whether the client does not read what is sent."""

    @property
    def gives_way(self) -> bool:
        """Whether it may be closed for another one."""
        return not self.answering or self.blocked


class Admission(Struct, kw_only=True):
    """The connections that are open."""

    most: int = MOST
    share: int = SHARE
    for_loopback: int = FOR_LOOPBACK
    _open: dict[Slot, None] = field(default_factory=dict)
    _short_since: float | None = None
    """When the episode of too many connections began; None: there is none."""
    _last: float = 0.0
    _closed: int = 0
    _refused: int = 0

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def admit(self, address: str) -> Slot | None:
        """Return a place for a new connection, closing an idle one where needed; None: refuse it."""
        group = group_of(address)
        rivals = self._rivals(group)
        if rivals is not None and not self._make_room(rivals, address):
            return None
        slot = Slot(group=group, since=clock.monotonic())
        self._open[slot] = None
        return slot

    def release(self, slot: Slot) -> None:
        """Take a connection out that has ended."""
        self._open.pop(slot, None)
        slot.close = _nothing

    def free_descriptor(self) -> None:
        """Close an idle connection, because the process has no descriptor left."""
        self._make_room(self._open, "")

    def report(self) -> None:
        """Log the end of an episode of too many connections, some time after the last."""
        if self._short_since is None or clock.monotonic() - self._last < QUIET:
            return
        log.info(
            "no more connections to the HTTP server than it takes",
            closed=self._closed,
            refused=self._refused,
            seconds=round(self._last - self._short_since),
        )
        self._short_since, self._closed, self._refused = None, 0, 0

    def _rivals(self, group: str) -> Iterable[Slot] | None:
        """Return the connections one of which must give way to a new one; None: there is room."""
        counts = Counter(one.group for one in self._open)
        if counts[group] >= self.share:
            return [one for one in self._open if one.group == group]
        others = len(self._open) - counts[LOOPBACK]
        if group != LOOPBACK and others >= self.most - self.for_loopback:
            del counts[LOOPBACK]
        elif len(self._open) < self.most:
            return None
        (largest, _), *_ = counts.most_common(1)
        return [one for one in self._open if one.group == largest]

    def _make_room(self, rivals: Iterable[Slot], address: str) -> bool:
        """Close the connection that has asked or read nothing for longest; return whether there was one."""
        idle = (one for one in rivals if one.gives_way)
        found = min(idle, key=lambda one: one.since, default=None)
        if found is not None:
            close = found.close
            self.release(found)
            close()
        self._note(address, refused=found is None)
        return found is not None

    def _note(self, address: str, *, refused: bool) -> None:
        self._last = clock.monotonic()
        self._closed += not refused
        self._refused += refused
        if self._short_since is None:
            self._short_since = self._last
            log.warning(
                "too many connections to the HTTP server: idle ones are closed for new ones",
                open=len(self._open),
                newest=address,
            )


def group_of(address: str) -> str:
    """Return what a client's address is counted for: itself, its network of IPv6, or this host."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    parsed = (parsed.ipv4_mapped or parsed) if parsed.version == 6 else parsed
    if parsed.is_loopback:
        return LOOPBACK
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), 64), strict=False))
