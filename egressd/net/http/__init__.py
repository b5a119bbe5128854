"""One HTTP request over an open stream: HTTP/1.1, HTTP/2 and the WebSocket upgrade."""
