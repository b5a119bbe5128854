"""Every fault the lab can show: what it does at which layer, and the reasons egressd should give."""

from egressd.lab.faults.fault import Fault, Layer
from egressd.lab.faults.switch import DEMO, FAULTS, Switch, Switchboard, parse_switch

__all__ = ["DEMO", "FAULTS", "Fault", "Layer", "Switch", "Switchboard", "parse_switch"]
