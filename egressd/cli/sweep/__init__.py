"""`egressd --once`: one sweep with its progress, its signals and its report or its lines."""
