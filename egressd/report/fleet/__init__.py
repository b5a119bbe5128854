"""Many sites side by side: as a table for a terminal, as JSON, and as one HTML file."""
