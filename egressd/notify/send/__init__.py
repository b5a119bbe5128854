"""Sending: one delivery at a time, to one receiver.

Law of the room: network trouble is a `Delivery`, never an exception; only cancellation and our own bugs pass
through. What is said of trouble names host and port, never a path, a query or a credential, and never
repeats one that a server sent back. Nothing here waits to try again.
"""

from egressd.notify.send.alertmanager import push_alerts
from egressd.notify.send.deliver import beat, deliver

__all__ = ["beat", "deliver", "push_alerts"]
