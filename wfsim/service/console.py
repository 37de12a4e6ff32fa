"""The console: a page for people, which asks the service as any other client does.

It is HTML, CSS and JavaScript as they stand in `page/`, without anything from elsewhere. Whoever has no key gets the
page, and nothing that is in the service: it asks for the key and keeps it in memory.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

routes = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).with_name("page")

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

HEADERS = {
    # No script and no style but those files; drawings are images, in which nothing runs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@routes.get("/console")
def console() -> Response:
    """The page."""
    return _file("console.html")


@routes.get("/console/{name}")
def part(name: str) -> Response:
    """What the page consists of."""
    return _file(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in KINDS)


def _file(name: str) -> Response:
    if name not in _names():
        raise HTTPException(404, "the console has no such file")
    path = FOLDER / name
    return Response(path.read_bytes(), headers=HEADERS, media_type=f"{KINDS[path.suffix]}; charset=utf-8")
