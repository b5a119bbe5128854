"""The daemon: sweeps on a schedule, saves standings and alerts, serves them, and reports to systemd.

Law of the room: one root TaskGroup; what is shared is one reference to an immutable snapshot, so there
are no locks. Signals and requests set intents; tasks are cancelled only at the end, in one place.
"""
