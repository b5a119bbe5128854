"""A simulated Azure on loopback, with faults that can be switched on by name.

Law of the room: real sockets on 127.0.0.1 only, no root, everything bounded. It answers as the
documented endpoints do, or misbehaves as a device on the way would; it knows nothing of how egressd
judges, save for the reason codes each fault promises to show.
"""

from egressd.lab.faults import DEMO, FAULTS, Fault, Switch, parse_switch
from egressd.lab.world import Lab

__all__ = ["DEMO", "FAULTS", "Fault", "Lab", "Switch", "parse_switch"]
