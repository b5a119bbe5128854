"""The status page: what is wrong and what to ask for, then every target with its history."""
