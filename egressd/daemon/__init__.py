"""The daemon: sweeps on a rhythm, keeps what it believes, serves it, and tells systemd the truth.

Law of the room: one root TaskGroup; what is shared is one reference to an immutable snapshot, so there
are no locks. Signals and requests set intents; nothing is cancelled but at the end, once, in one place.
"""
