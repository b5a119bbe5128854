"""Rules in the languages of firewalls and proxies."""
