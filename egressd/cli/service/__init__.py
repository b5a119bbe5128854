"""Commands about the daemon: running it, asking it, and reading what it remembers."""
