"""The running service: settings and feeds in, exit status out. Part of the composition root, with `cli`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import uvloop

from feeds.base import Context, Feed
from feeds.runner import Runner
from ticker.garbage import freezer
from ticker.progress import StatusLine, reporter
from ticker.service import Service
from ticker.settings import Settings
from web.app import create_app
from web.certificate import Certificate
from web.server import listen, make_server

OTHER_FILES = 200
"""Open files that are not streams: feeds, plain requests, the log."""
SPARE_FILES = 64
"""Open files that no client gets, or a sixteenth of all: feeds reconnect, and the page is read, whatever clients do."""
MACOS_FILES = 10_240
"""The most that macOS grants; its default is 256, and it refuses the "unlimited" that it reports."""
CLOSE_S = 1.0
"""How long closing the loop may take: it waits for DNS look-ups, which wait for a resolver that may not answer."""

log = logging.getLogger("ticker.service")


def serve(settings: Settings, feeds: Sequence[Feed], context: Context, line: StatusLine | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Args:
        settings: how to serve.
        feeds: what is served.
        context: what the feeds get from outside.
        line: shows the progress of replays.

    Raises:
        TickerError: it cannot listen on the address.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, feeds, context, line))
        deadline = threading.Timer(CLOSE_S, os._exit, (0,))
        deadline.daemon = True
        deadline.start()
    deadline.cancel()
    return 0


async def _serve(settings: Settings, feeds: Sequence[Feed], context: Context, line: StatusLine | None) -> None:
    sock = listen(settings.server.host, settings.server.port, reuse=settings.server.reuse_port)
    settings = _within_files(settings)
    service = Service(settings, context.clock)
    upstream, target = service.upstream, None
    work: list[Callable[[], Coroutine[Any, Any, None]]]
    if upstream is not None:
        from ticker.gateway import Target, follow

        target = Target.of(settings, context.environ)
        work = [lambda: service.vital("connection to the upstream", follow(upstream, target, context.clock))]
    else:
        work = [
            Runner(feed, service.feed(feed.name, feed.kind, feed.clock, feed.stale_after_s, feed.history), context).run
            for feed in feeds
        ]
    service.hub.on_tick.append(freezer(service))
    if line is not None:
        service.hub.on_tick.append(reporter(feeds, line, context.clock))
    app = create_app(service, (target.base, target.headers) if target is not None else None)
    files = _files()
    server = make_server(app, app.state.door, settings, files, min(SPARE_FILES, files // 16))
    if server.config.ssl is not None:
        certificate = Certificate(server.config.ssl, settings.server.tls_cert, settings.server.tls_key)
        service.hub.on_tick.append(certificate.check)
    host, port = sock.getsockname()[:2]
    scheme = "https" if settings.server.tls_cert else "http"
    path, names = settings.server.base_path, ",".join(feed.name for feed in feeds)
    log.info("serving %s://%s:%d%s", scheme, _shown(host), port, path, extra={"feeds": names} if feeds else {})
    try:
        await service.run(server, [sock], work)
    finally:
        if target is not None:
            await app.state.forward.aclose()
        if line is not None:
            line.show("")


def _shown(host: str) -> str:
    """An address as it may stand in a URL that works on this machine."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _files() -> int:
    """How many files the process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else files


def _within_files(settings: Settings) -> Settings:
    """Raise the limit on open files as far as the system allows, and lower that on connections to it: each is a file.

    Surplus clients then get a polite refusal, not a reset. It is a warning only if more connections were asked for.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, max(soft, MACOS_FILES)):  # a sandbox may refuse anything
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
    files, limits = _files(), settings.limits
    room = max(files // 2, files - OTHER_FILES)
    if room >= limits.connections:
        return settings
    level = logging.WARNING if "connections" in limits.model_fields_set else logging.INFO
    log.log(level, "at most %d connections, not %d: open files are limited to %d", room, limits.connections, files)
    return settings.model_copy(update={"limits": limits.model_copy(update={"connections": room})})
