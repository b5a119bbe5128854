"""Reports that leave the machine: for a ticket, a browser, a CI server.

Law of the room: each is one text that needs nothing beside it, and nothing that came from the network can
be more in it than text: no markup, no link, no picture, no formula.
"""
