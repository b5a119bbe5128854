"""The JSON API: documents made of the snapshot and of the history; it changes nothing."""
