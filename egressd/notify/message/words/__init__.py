"""What is to be said, before a format decides how: one story of a notice or of many."""
