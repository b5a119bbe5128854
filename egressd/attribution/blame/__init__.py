"""Who caused a failure, by elimination.

`suspects` lists who can have caused each kind of failure; `facts` is the table of what rules a party out,
names it or points to it; `elimination` subtracts the one from the other.
"""
