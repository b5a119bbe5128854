"""`egressd catalog import`: a list of endpoints as `endpoints:` of a configuration.

Every row that can't be used is reported at once, with its line.
"""
