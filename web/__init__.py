"""What people connect to: HTTP, WebSocket, the page."""
