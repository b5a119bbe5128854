"""The faults of the lab: their effects by layer, and the reason codes egressd should give."""

from egressd.lab.faults.active import DEMO, FAULTS, ActiveFaults, Switch, parse_switch
from egressd.lab.faults.fault import Fault, Layer

__all__ = ["DEMO", "FAULTS", "ActiveFaults", "Fault", "Layer", "Switch", "parse_switch"]
