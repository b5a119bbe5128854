"""What the rules look at: one trail in its context, the whole recording, and known marks of products.

Nothing here decides: these modules read, count and compare.
"""
