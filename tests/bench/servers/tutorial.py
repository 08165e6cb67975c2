"""FastAPI's own tutorial: a ConnectionManager that sends a text to each connection, one after the other.

`python -m tests.bench.servers.tutorial PORT SYMBOLS PER_SECOND batch|tick`. `/ws?greet` is answered by one text, so
that it also serves as the bare endpoint with which arrivals are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.bench.servers.common import Watchers, frames


class ConnectionManager:
    def __init__(self) -> None:
        self.watchers: Watchers[WebSocket] = Watchers()

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.watchers.join(websocket, str(websocket.url))

    def disconnect(self, websocket: WebSocket) -> None:
        self.watchers.leave(websocket)

    async def broadcast(self, name: str, message: str) -> None:
        for connection in self.watchers.of(name):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await connection.send_text(message)


def make_app(symbols: int, per_second: int, shape: str) -> FastAPI:
    manager = ConnectionManager()

    async def feed() -> None:
        async for batch in frames(symbols, per_second, shape):
            for name, text in batch:
                await manager.broadcast(name, text)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(feed())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        if "greet" in websocket.query_params:
            await websocket.send_text('{"type":"snapshot","quotes":{}}')
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


if __name__ == "__main__":
    port, symbols, per_second = map(int, sys.argv[1:4])
    app = make_app(symbols, per_second, sys.argv[4])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", ws_per_message_deflate=False)
