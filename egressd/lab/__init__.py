"""A simulated Azure on loopback, with faults that can be switched on by name.

Rule of the package: real sockets on loopback only, no root, everything bounded. It answers as the documented
endpoints do, or fails as a device on the path would. It does not know how egressd judges, except for the
reason codes listed with each fault.
"""

from egressd.lab.faults import DEMO, FAULTS, Fault, Switch, parse_switch
from egressd.lab.lab import Lab

__all__ = ["DEMO", "FAULTS", "Fault", "Lab", "Switch", "parse_switch"]
