"""The command line, and the only package that prints.

Reports go to stdout, progress and logs to stderr. Slow imports are left to the command that needs them.
Every way to end has a documented exit code.
"""
