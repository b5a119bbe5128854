"""What a sweep looks like to a reader: tables, documents, exit codes.

Law of the room: a report is made from a sweep alone, it is the same for the same sweep, and text that
came from the network is shown, never interpreted.
"""
