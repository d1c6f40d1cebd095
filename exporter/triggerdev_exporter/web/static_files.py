"""The script, the style and the icon of the pages: three small files that come with the program, served from memory.

Not `web.static` of aiohttp: it opens a file in a thread, and when its handler is cancelled meanwhile (a stop, a browser
that left) nobody closes that file.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import PurePath

from aiohttp import ETag, web

# Not asked of the machine: its own list may say otherwise, and browsers are told not to guess.
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def static_routes() -> list[web.AbstractRouteDef]:
    """One for each file. Reads them."""
    folder = resources.files("triggerdev_exporter.web") / "static"
    return [_route(file.name, file.read_bytes()) for file in folder.iterdir() if file.is_file()]


def _route(name: str, body: bytes) -> web.AbstractRouteDef:
    content_type = CONTENT_TYPES[PurePath(name).suffix]
    etag = ETag(hashlib.sha256(body).hexdigest()[:16])

    async def static_file(request: web.Request) -> web.Response:
        known = any(one.value in (etag.value, "*") for one in request.if_none_match or ())
        response = (
            web.Response(status=304) if known else web.Response(body=body, content_type=content_type, charset="utf-8")
        )
        response.etag = etag
        response.headers["Cache-Control"] = (
            "no-cache"  # kept, and asked about: the same address may change by an update
        )
        return response

    return web.get(f"/static/{name}", static_file)
