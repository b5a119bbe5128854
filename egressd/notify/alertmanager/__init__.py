"""Alertmanager: the alerts that fire or have ended, pushed to each peer again and again."""
