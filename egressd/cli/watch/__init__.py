"""`egressd watch`: look again and again while somebody changes rules, and say at once what that did.

Law of the room: what is known (`view`), what comes next (`turn`) and what is said (`words`) are pure; `watch`
drives plan, sweep and judge; `screen` prints. One look at a time.
"""
