"""One module per receiver type: its message, and how it is sent."""
