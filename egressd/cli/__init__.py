"""The command line: thin, and the only room that prints.

Law of the room: stdout carries the report, stderr progress and logs; heavy rooms are loaded by the
command that needs them; every way out has a documented exit code.
"""
