"""Network I/O: sockets, TLS, DNS, HTTP and NTP, one call per phase.

Rule of the package: record what happened, never what it means. A network error is a `Failure` in an
observation, not an exception; only cancellation and bugs of egressd propagate.
"""
