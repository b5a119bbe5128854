"""egressd: which phase of network egress failed, who is to blame, and what to ask for."""

__version__ = "0.1.0"
