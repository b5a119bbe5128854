"""TLS: records, ClientHellos, the client session, certificates and trust anchors."""
