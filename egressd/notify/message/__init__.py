"""What a receiver is sent: notices and alerts in, text and bytes out.

Law of the room: no I/O, no clock, no randomness; the same notice is written the same way on every try.
Text from the network is hostile: it is scrubbed to printable lines, and no format reads markup in it.
"""
