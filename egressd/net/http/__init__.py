"""One request and its answer, spoken over a stream we hold: HTTP/1.1, HTTP/2, and the WebSocket upgrade."""
