"""The order of steps: which observation comes after which, within which time.

Law of the room: it moves facts from `net` into a recording and never says what they mean. Network
trouble is an observation; our own bug ends one probe, never the sweep.
"""
