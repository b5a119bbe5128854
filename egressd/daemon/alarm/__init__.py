"""From what is believed to what somebody is told: alerts, the queue, and how receivers do.

Law of the room: what is decided here is pure; it replaces the snapshot in one step and saved with the events
that led to it. Nobody who probes ever waits for somebody who is told.
"""
