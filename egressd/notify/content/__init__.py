"""What a message says: text, labels and annotations made from notices and alerts.

No I/O, no clock, no randomness: a notice is written the same way on every retry. Text from the network is
scrubbed to printable lines, and no format interprets markup in it.
"""
