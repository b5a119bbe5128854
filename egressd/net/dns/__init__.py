"""Asking for names: DNS messages, and the host's own `getaddrinfo`."""
