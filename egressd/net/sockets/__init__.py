"""Sockets for all phases: opening and binding, datagrams, kernel state, errors."""
