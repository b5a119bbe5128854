"""The daemon's HTTP server: metrics, a status page, health, an API, single probes.

Law of the room: a page is made from one snapshot and changes nothing; what does
change something is asked for by POST, or switched on by the operator. Nothing here waits for the network
being probed, save `/probe`. No host name ever comes from a request.
"""
