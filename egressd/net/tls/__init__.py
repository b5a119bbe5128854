"""TLS on a stream we hold: records as they pass, the session, and what a chain can be shown to be."""
