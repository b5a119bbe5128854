"""Telling people and machines: what waits, what is written, and how it is sent.

Law of the room: `message` writes and knows values only; `send` is the one place that opens a
connection. What a receiver answers is a `Delivery`, never an exception.
"""
