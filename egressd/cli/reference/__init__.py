"""What the program says of itself: reason codes, variables, exit codes, version, and what a shell completes.

Law of the room: it describes commands, and runs none.
"""
