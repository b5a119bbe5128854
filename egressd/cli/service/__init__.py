"""Commands about a running daemon: its health, its history, its silences and its receivers."""
