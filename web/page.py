"""The page's own files, as an application: each is compressed once.

The page has some thirty small modules, fetched at once from a process that streams prices, so answers must be cheap.
All are read at the start, half a megabyte: an upgrade may replace them, or remove them, long before the process is
restarted, and a page must not be made of the files of two releases. The page refers to its scripts and styles
below a folder named by a hash of all files, so that a browser may keep them for ever; under any other path a file is
always revalidated. Scripts and styles are sent without indentation and comments, a quarter of their bytes, but with the
same line numbers.
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
"""Media types that some systems name differently."""
COMMENT = re.compile(rb"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*$", re.MULTILINE | re.DOTALL)
INDENTATION = re.compile(rb"^[ \t]+", re.MULTILINE)
TRAILING_COMMENT = re.compile(rb"(?<=[;{},(]) +// [^\n]*$", re.MULTILINE)
"""A comment after code, as the scripts write them."""
LINK = re.compile(rb'((?:href|src)=")(?=(?:js|css)/)')
RELEASED = re.compile(r"([0-9a-f]{16})/((?:js|css)/.+)")
REVALIDATED = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"


class File(NamedTuple):
    """A file as it is sent, plain and compressed; `etag` is of its plain content, without quotes."""

    media: str
    etag: str
    plain: bytes
    packed: bytes


@functools.cache
def files() -> dict[Path, bytes]:
    """All files, as they were when the process began."""
    return {path: path.read_bytes() for path in sorted(STATIC.rglob("*")) if path.is_file()}


@functools.cache
def release() -> str:
    """A hash of all files."""
    return hashlib.sha256(b"".join(files().values())).hexdigest()[:16]


def located(name: str) -> tuple[str, str]:
    """The file that a path names, and its `Cache-Control`; a page of another release gets the current files."""
    found = RELEASED.fullmatch(name)
    if found is None:
        return name, REVALIDATED
    return found[2], FOR_EVER if found[1] == release() else REVALIDATED


@functools.cache
def read(path: Path) -> File:
    """A file, prepared once; third-party scripts keep their comments, as their licences require."""
    plain = files()[path] if path in files() else path.read_bytes()
    if path.suffix in {".js", ".css"} and path.is_relative_to(STATIC):
        plain = INDENTATION.sub(b"", COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), plain))
    if path.suffix == ".js":
        plain = TRAILING_COMMENT.sub(b"", plain)
    if path == STATIC / "index.html":
        plain = LINK.sub(rb"\g<1>%b/" % release().encode(), plain)
    media = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(media, hashlib.sha256(plain).hexdigest()[:16], plain, gzip.compress(plain, mtime=0))


def answer(path: Path, headers: Headers, cache: str = REVALIDATED) -> Response:
    """A file, compressed if the client accepts that, or 304 if it has it already."""
    file = read(path)
    packs = accepts_gzip(headers.get("accept-encoding", "")) and len(file.packed) < len(file.plain)
    etag = f'"{file.etag}-gzip"' if packs else f'"{file.etag}"'
    sent = {"Cache-Control": cache, "ETag": etag, "Vary": "Accept-Encoding"}
    if etag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=sent)
    if packs:
        sent["Content-Encoding"] = "gzip"
    return Response(file.packed if packs else file.plain, headers=sent, media_type=file.media)


def accepts_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip, with a weight above 0."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


class Page:
    """Plain ASGI, to be mounted: every file below the folder, and `index.html` for the folder itself."""

    def __init__(self) -> None:
        self._names = {path.relative_to(STATIC).as_posix() for path in files()}
        release()  # before prices flow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file."""
        if scope["type"] == "websocket":  # mounted at the root: every path that nothing else matches
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
