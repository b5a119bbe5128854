"""`egressd catalog import`: somebody's list of endpoints as `endpoints:` of a configuration.

Law of the room: nothing is guessed that a reader could not check; every row that can't be used is named, with
its line, at once.
"""
