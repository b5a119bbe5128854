"""Name resolution: DNS messages to a resolver, and the host's own getaddrinfo(3)."""
