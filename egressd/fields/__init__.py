"""The field types of configuration files: parsing, checks, and their names in the reference.

A value that is wrong raises ValueError with the rest of a sentence that starts with the key. A secret is read
from a file of its own and is never part of a message.
"""
