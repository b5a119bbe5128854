"""Rules as policies of Kubernetes networks: sources are labels there, not addresses."""
