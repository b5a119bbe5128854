"""One ordered table of rules per phase: the first that holds names the cause.

Every table ends in the fallback of its phase. A rule only looks; it never changes anything.
"""
