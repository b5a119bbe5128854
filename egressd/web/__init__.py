"""The daemon's HTTP server: metrics, status page, health, JSON API, single probes.

Rules: a page is made from one snapshot and changes nothing; what changes something is a POST, or enabled by
the operator. Only `/probe` waits for the probed network. No host name comes from a request.
"""
