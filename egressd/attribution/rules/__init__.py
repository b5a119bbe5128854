"""One ordered table of rules per phase: the first rule that holds names the reason.

Every table ends in the fallback of its phase. A rule only reads; it never changes anything.
"""
