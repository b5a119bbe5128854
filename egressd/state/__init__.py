"""State on disk: standings, alerts, the queue of notices and the history of events; and silences.

Rules: one SQLite file, one writer. A file that can't be read is moved aside and logged, a full disk is
survived, and state is written together with the events that led to it, or not at all.
"""

from egressd.state.persistence import Persistence
from egressd.state.store import SavedState

__all__ = ["Persistence", "SavedState"]
