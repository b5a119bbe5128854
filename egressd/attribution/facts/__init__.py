"""Facts that the rules read: the index of a sweep, one trail in its context, known marks of products.

Law of the folder: read, count and compare; decide nothing.
"""
