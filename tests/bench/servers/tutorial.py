"""FastAPI's own tutorial: a ConnectionManager that sends a text to each connection in turn.

The same market, one message for each client and batch: `python -m tests.bench.servers.tutorial PORT SYMBOLS RATE`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from tests.bench.market import paced, stamp_us


class ConnectionManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        if websocket in self.active_connections:
            self.active_connections.remove(websocket)

    async def broadcast(self, message: str) -> None:
        for connection in list(self.active_connections):
            await connection.send_text(message)


def make_app(symbols: int, per_second: int) -> FastAPI:
    manager = ConnectionManager()

    async def feed() -> None:
        async for rows in paced(symbols, per_second):
            stamp = stamp_us()
            quotes = {
                name: {"last": float(last), "bid": float(bid), "ask": float(ask), "bid_size": stamp, "ts": ts}
                for name, last, bid, ask, ts in rows
            }
            await manager.broadcast(json.dumps({"type": "update", "quotes": quotes}))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(feed())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


if __name__ == "__main__":
    port, symbols, per_second = map(int, sys.argv[1:4])
    uvicorn.run(make_app(symbols, per_second), host="127.0.0.1", port=port, log_level="warning")
