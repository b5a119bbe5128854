"""`egressd fleet`: many sites side by side, from saved reports or from a Prometheus."""
