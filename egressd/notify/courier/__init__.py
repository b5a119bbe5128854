"""The tasks that deliver: one for each receiver, one for each Alertmanager, none waits for another.

Law of the room: what is delivered was saved before, and is gone from the disk before the next is tried.
Nothing here knows what a message looks like, or changes an alert; time and chance are given.
"""

from egressd.notify.courier.courier import Courier
from egressd.notify.courier.office import Bell, Office, Ways

__all__ = ["Bell", "Courier", "Office", "Ways"]
