"""The manual that the daemon serves itself, for networks without an Internet."""
