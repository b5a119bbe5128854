"""The types of value that files hold: how each is parsed and checked, and what the reference calls it.

A value that is wrong raises ValueError with the rest of a sentence that starts with the key. A secret is read
from a file of its own and is never part of a message.
"""
