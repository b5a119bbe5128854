"""`egressd config`: whether a configuration is right, here or anywhere."""
