"""The running service: settings and feeds in, exit status out. Part of the composition root, with `cli`."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
from collections.abc import Sequence

from feeds.base import Context, Feed
from feeds.runner import Runner
from ticker.config import Settings
from ticker.service import Service
from web.app import create_app
from web.server import listen, make_server

log = logging.getLogger("ticker.service")


def serve(settings: Settings, feeds: Sequence[Feed], context: Context) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Raises:
        TickerError: the address cannot be had.
    """
    _raise_file_limit(settings.limits.connections)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, feeds, context))
    return 0


async def _serve(settings: Settings, feeds: Sequence[Feed], context: Context) -> None:
    sock = listen(settings.server.host, settings.server.port)
    service = Service(settings, context.clock)
    runners = [
        Runner(feed, service.feed(feed.name, feed.kind, feed.clock, feed.stale_after_s, feed.history), context)
        for feed in feeds
    ]
    server = make_server(
        create_app(service),
        message_bytes=settings.limits.message_bytes,
        ping_interval_s=settings.hub.ping_interval_s,
        ping_timeout_s=settings.hub.ping_timeout_s,
        handshake_s=settings.limits.handshake_s,
        tls=(settings.server.tls_cert, settings.server.tls_key),
        compress=settings.hub.compress,
    )
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "localhost"}.get(host, host)  # noqa: S104 - compared, not bound
    scheme = "https" if settings.server.tls_cert else "http"
    path, names = settings.server.base_path, ",".join(feed.name for feed in feeds)
    log.info("serving %s://%s:%d%s feeds=%s", scheme, shown, port, path, names)
    await service.run(server, [sock], [runner.run for runner in runners])


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not there on Windows

    return uvloop.Loop


def _raise_file_limit(connections: int) -> None:
    """Every connection is an open file: take as many as the system allows, and say so if that is too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < connections:
        log.warning("open files are limited to %d, below limits.connections=%d", hard, connections)
