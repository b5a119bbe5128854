"""Telling people and machines: what waits, what is written, how it is sent, and who carries it.

Law of the room: `message` writes and knows values only; `send` is the one place that opens a
connection; what waits changes only through `outbox`, which is pure; only `courier` waits and tries again.
What a receiver answers is a `Delivery`, never an exception.
"""
