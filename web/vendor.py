"""Third-party files under `/vendor/`: found in the installed package, never copied, never imported."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from web import page
from web.page import FOR_EVER

A_DAY = "public, max-age=86400"


@dataclass(frozen=True, slots=True)
class Vendored:
    """One file: the package that carries it, its path there, and how long browsers keep it."""

    package: str
    path: str
    cache: str

    def find(self) -> Path | None:
        """Where it is on this machine; None if the package is not installed or does not have it."""
        spec = importlib.util.find_spec(self.package)
        file = Path(spec.origin).parent / self.path if spec is not None and spec.origin else None
        return file if file is not None and file.is_file() else None


FILES = {
    "lightweight-charts-5.1.0.js": Vendored("litecharts", "js/lightweight-charts.js", FOR_EVER),
    "swagger-ui-bundle.js": Vendored("fastapi_offline", "static/swagger-ui-bundle.js", A_DAY),
    "swagger-ui.css": Vendored("fastapi_offline", "static/swagger-ui.css", A_DAY),
}
"""By the name under `/vendor/`. One that is kept for ever has its version in its name."""


def make_router() -> APIRouter:
    """The one path."""
    router = APIRouter()

    @router.get("/vendor/{name}", include_in_schema=False)
    async def vendor(name: str, request: Request) -> Response:
        file = FILES[name].find() if name in FILES else None
        if file is None:
            raise HTTPException(404)
        await asyncio.to_thread(page.read, file)  # compresses it the first time, which takes a while
        return page.answer(file, request.headers, FILES[name].cache)

    return router
