"""What the daemon keeps between sweeps: what it believes, what happened, and the picture of one moment."""
