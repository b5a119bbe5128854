"""What changed between two sweeps, and how that is written. Pure."""
