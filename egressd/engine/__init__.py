"""The engine: plan, probe and judge, for every command that does so and for the library.

Law of the room: `session` is the only module that joins planning, probing and attribution; `once`, `watch`,
the daemon and `/probe` are loops over it. `latest` and `schedule` are pure. Nothing here prints or keeps
state on disk.
"""
