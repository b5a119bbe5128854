"""Connections to the HTTP server: how many, from whom, and how long each step of one may take."""
