"""A Prometheus asked by its HTTP API: what a fleet of sites looked like at one moment."""
