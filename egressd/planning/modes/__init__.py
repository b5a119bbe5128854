"""What the configuration makes of rows: features in use, private link, and choices that one row satisfies."""
