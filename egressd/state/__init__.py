"""What outlives the daemon: what it believes, and what happened.

Law of the room: one SQLite file, one writer. A file that can't be read is moved aside and said aloud, a
disk that is full is survived, and what is written is written with the events that led to it or not at all.
"""

from egressd.state.persistence import Persistence
from egressd.state.store import SavedState

__all__ = ["Persistence", "SavedState"]
