"""Sweeps: the order of phases in a probe, its time limits, and the recording of all probes.

Rule of the package: collect observations of `net` into a recording, never judge them. A network error is an
observation; a bug of egressd ends one probe, never the sweep.
"""
