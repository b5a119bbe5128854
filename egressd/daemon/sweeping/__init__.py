"""The scheduler: whole sweeps on a grid, quick looks at suspects in between.

Law of the room: one sweep at a time; every wait is a promise on the pulse; what is believed changes in one
place, the store. Times for waiting come from the monotonic clock, so nobody's clock step moves a sweep.
"""
