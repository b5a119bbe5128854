"""One reader for each format that lists of endpoints come in."""
