"""The page's own files, as an application: each is read and compressed once.

A page is some thirty small modules, fetched at once from a process that streams prices: an answer must cost nothing.
Files of a new release come with its process, so they are looked for only at the start. The page names its scripts and
styles below a folder that is named by all that they are, so that a browser that has them asks for none; by any other
path a file is always revalidated. Scripts and styles go out without the comments that have lines of their own or stand
behind code, a quarter of their bytes; what is left keeps its line numbers.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
import re
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from web.problem import problem

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}
"""What some systems call otherwise."""
COMMENT = re.compile(rb"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*$", re.MULTILINE | re.DOTALL)
BEHIND = re.compile(rb"(?<=[;{},(]) +// [^\n]*$", re.MULTILINE)
"""A comment behind the code of its line, as the scripts have them."""
LINK = re.compile(rb'((?:href|src)=")(?=(?:js|css)/)')
RELEASED = re.compile(r"([0-9a-f]{16})/((?:js|css)/.+)")
REVALIDATED = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"


class File(NamedTuple):
    """A file as it goes out, plain and compressed; `etag` is that of both, without quotes."""

    media: str
    etag: str
    plain: bytes
    packed: bytes


@functools.cache
def release() -> str:
    """The name of the files as they are: another one after a change of any of them."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def located(name: str) -> tuple[str, str]:
    """Which file a path means, and how long a browser may keep it; a page of another release gets today's files."""
    found = RELEASED.fullmatch(name)
    if found is None:
        return name, REVALIDATED
    return found[2], FOR_EVER if found[1] == release() else REVALIDATED


@functools.cache
def read(path: Path) -> File:
    """A file, made ready once; other people's scripts keep what their licences want kept."""
    plain = path.read_bytes()
    if path.suffix in {".js", ".css"} and path.is_relative_to(STATIC):
        plain = COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), plain)
    if path.suffix == ".js":
        plain = BEHIND.sub(b"", plain)
    if path == STATIC / "index.html":
        plain = LINK.sub(rb"\g<1>%b/" % release().encode(), plain)
    media = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(media, hashlib.sha256(plain).hexdigest()[:16], plain, gzip.compress(plain, mtime=0))


def answer(path: Path, headers: Headers, cache: str = REVALIDATED) -> Response:
    """A file, compressed where that is welcome, or 304 where it is known already."""
    file = read(path)
    packs = takes_gzip(headers.get("accept-encoding", "")) and len(file.packed) < len(file.plain)
    etag = f'"{file.etag}-gzip"' if packs else f'"{file.etag}"'
    sent = {"Cache-Control": cache, "ETag": etag, "Vary": "Accept-Encoding"}
    if etag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    if packs:
        sent["Content-Encoding"] = "gzip"
    return Response(file.packed if packs else file.plain, headers=sent, media_type=file.media)


def takes_gzip(accepted: str) -> bool:
    """Whether a client names gzip among the encodings that it takes; with a weight of 0 it says that it does not."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


class Page:
    """Plain ASGI, to be mounted: every file below the folder, and `index.html` for the folder itself."""

    def __init__(self) -> None:
        self._names = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
        release()  # of the files of now, and all are read before prices flow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file."""
        if scope["type"] == "websocket":  # the root takes every path that nothing else does
            refused = problem(404, "bad_request", "there is no stream here; it is at /ws")
            await WebSocket(scope, receive, send).send_denial_response(refused)
            return
        if scope["method"] != "GET":
            raise HTTPException(405)
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        name, cache = located(path or "index.html")
        if name not in self._names:
            raise HTTPException(404)
        await answer(STATIC / name, Headers(scope=scope), cache)(scope, receive, send)
