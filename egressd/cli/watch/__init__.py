"""`egressd watch`: probe again and again while firewall rules are changed, and report at once what that did.

Law of the room: `watch` drives a session, one pass at a time; `messages` is pure; `screen` prints.
"""
