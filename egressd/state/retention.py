"""By which time the history is pruned: one that a clock set ahead can't run away with.

A clock that is wrong by months, as after a dead battery, makes every event old. So the time that counts
follows it only a few times as fast as time passes. It is kept with the events.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from egressd.wording import is_stamp, stamp

RATE = 4.0
"""How much faster than time it may catch up with the clock, as after a month without a daemon."""
_NAME = "pruned"
_KNOWN = "SELECT body FROM memory WHERE name = ?"
_NEWEST = "SELECT max(at) FROM events WHERE at <= ?"
_KEEP = "INSERT OR REPLACE INTO memory VALUES (?, ?)"


def pruning_time(cursor: sqlite3.Cursor, *, now: datetime, elapsed: float) -> datetime:
    """Return the time to prune by, and keep it for the next time.

    `elapsed` are the seconds for which this daemon has run since it pruned last. Without a time that is known
    the newest event tells it, and the clock where there is none.
    """
    (newest,) = cursor.execute(_NEWEST, (stamp(now),)).fetchone()
    row = cursor.execute(_KNOWN, (_NAME,)).fetchone()
    known = row[0] if row is not None and is_stamp(str(row[0])) else newest
    if isinstance(known, str) and is_stamp(known):
        now = min(now, datetime.fromisoformat(known) + timedelta(seconds=RATE * elapsed))
    cursor.execute(_KEEP, (_NAME, stamp(now)))
    return now
