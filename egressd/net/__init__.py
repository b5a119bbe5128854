"""The edge: sockets, TLS, DNS, HTTP and NTP.

Law of the room: it writes down what happened and never what it means. Trouble on the network is a
`Failure` in an observation, never an exception; only cancellation and our own bugs pass through.
"""
