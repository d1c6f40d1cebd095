"""JSON over HTTP: how bodies and parameters are read, who may write, and how errors are told. No route is known here.

Whoever can reach the port may write. What is kept out is a web page that a browser of somebody who can reach it shows:
writes need a content type that no form can send, and must not come from another site.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from triggerdev_alerts.documents.mistakes import Unfit, found, suggestion
from triggerdev_alerts.errors import BookError
from triggerdev_exporter.web.alert_views import ErrorAnswer, ErrorText

log = logging.getLogger(__name__)

FURTHEST = 1_000_000
"""How many of a list may be left out."""
PREFIX = "/api/"
LARGEST_BODY = 64 * 1024
_CONTENT_TYPE = "application/json"
_FORM = "application/x-www-form-urlencoded"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CODES = {404: "not_found", 405: "wrong_method", 413: "too_large"}

T = TypeVar("T")


class Problem(Exception):
    """A request that is answered with an error. The text goes out as it is: it holds no secret."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


def answer(body: msgspec.Struct | dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body) + b"\n",
        status=status,
        content_type=_CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def problem(status: int, code: str, text: str) -> web.Response:
    return answer(ErrorAnswer(error=ErrorText(code=code, message=text)), status)


@web.middleware
async def json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Below `PREFIX`: writes of other sites are refused, and whatever is raised becomes an `ErrorAnswer`."""
    if not request.path.startswith(PREFIX):
        return await handler(request)
    try:
        if request.method in _WRITES:
            check_write(request)
        return await handler(request)
    except Problem as error:
        return problem(error.status, error.code, str(error))
    except Unfit as error:
        return problem(400, "bad_request", error.text)
    except BookError as error:
        return problem(503, "unavailable", str(error))
    except web.HTTPException as error:
        response = problem(error.status, _CODES.get(error.status, "bad_request"), _told(error, request))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:
        log.exception("a request could not be answered", extra={"path": request.path})
        return problem(500, "broken", "something broke here; the log of the daemon says what")


def _told(error: web.HTTPException, request: web.Request) -> str:
    match error.status:
        case 404:
            return f"there is nothing at {found(request.path)}; docs/operating.md lists what there is"
        case 405:
            return f"{request.method} is not for this address; use {error.headers.get('Allow', 'another method')}"
        case 413:
            return f"the body is larger than {LARGEST_BODY // 1024} KiB; send less"
    return f"the request cannot be used: {error.reason}"


def check_write(request: web.Request) -> None:
    """Raises `Problem` for what a browser sends on behalf of another site, and for what an HTML form can send."""
    check_site(request)
    if request.content_type != _CONTENT_TYPE or "Content-Type" not in request.headers:
        raise Problem(415, "not_json", f"send this with the header Content-Type: {_CONTENT_TYPE}")


def check_site(request: web.Request) -> None:
    """Raises `Problem` for what a browser says that it sends on behalf of another site."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and _host_of(origin) != request.host.lower()):
        raise Problem(403, "cross_site", "a page of another site may not change anything here; use the command line")


def check_form(request: web.Request) -> None:
    """Raises `Problem` for a form that is not of one of our pages.

    Any site can post a form without a preflight. Browsers say where it comes from, by one header or the other; who says
    nothing is no browser with our page, and has the API.
    """
    if "Sec-Fetch-Site" not in request.headers and "Origin" not in request.headers:
        raise Problem(403, "cross_site", "this is for forms of these pages; use the API or the command line")
    check_site(request)
    if request.content_type != _FORM:
        raise Problem(415, "not_a_form", f"send this as {_FORM}")


def _host_of(origin: str) -> str:
    """Its host and port. The scheme is not compared: TLS may end before us."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def read_body(request: web.Request, as_type: type[T]) -> T:
    """The body as `as_type`. Raises `Problem`, or what aiohttp raises for a body that is too large."""
    try:
        return msgspec.json.decode(await request.read(), type=as_type)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(400, "bad_request", f"the body cannot be used: {error}") from None


def check_parameters(request: web.Request, known: Collection[str]) -> None:
    """Raises `Problem` for one that would be ignored, or that is there twice."""
    for name in request.query:
        if name not in known:
            near = suggestion(name, known) or (f"; there are {', '.join(known)}" if known else "; there is none here")
            raise Problem(400, "bad_request", f"there is no parameter {found(name)}{near}")
        if len(request.query.getall(name)) > 1:
            raise Problem(400, "bad_request", f"{name} is there twice; send it once")


def chosen(request: web.Request, name: str, choices: Collection[str]) -> str | None:
    """The parameter, one of `choices`, or ``None``. Raises `Problem`."""
    value = request.query.get(name)
    if value is not None and value not in choices:
        raise Problem(400, "bad_request", f"{found(value)} is no {name}; use one of {', '.join(choices)}")
    return value


def limited(request: web.Request, default: int, most: int) -> int:
    """The parameter ``limit``. Raises `Problem`."""
    return numbered(request, "limit", default, 1, most)


def paged(request: web.Request, default: int, most: int) -> tuple[int, int]:
    """The parameters ``limit`` and ``offset``. Raises `Problem`."""
    return limited(request, default, most), numbered(request, "offset", 0, 0, FURTHEST)


def numbered(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """The parameter as a number. Raises `Problem`."""
    value = request.query.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
        raise Problem(400, "bad_request", f"{found(value)} is no {name}; write a number from {least} to {most}")
    return int(value)
