"""Answers as values, and the error answers of both servers in their own words. Nothing here sends anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
HTML = "text/html; charset=utf-8"

_PAGE = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1>{padding}</body></html>"


@dataclass(slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def json(value: Any, status: int = 200, **headers: str) -> Reply:
    """`headers` are given with underscores for dashes."""
    return Reply(status, msgspec.json.encode(value), headers={k.replace("_", "-"): v for k, v in headers.items()})


def error(status: int, message: str, **headers: str) -> Reply:
    return json({"error": message}, status, **headers)


def html(status: int, title: str = "Not found") -> Reply:
    """The server's own page: what an unknown route answers."""
    return Reply(status, _PAGE.format(title=title, padding="<p></p>" * 200).encode(), HTML)


def not_found(*, retry: bool) -> Reply:
    """404 of the newer routes."""
    return error(404, "Not found", x_should_retry=str(retry).lower())


def _problem(status: int, title: str, detail: str, **more: Any) -> Reply:
    body = {
        "title": title,
        "status": status,
        "type": f"https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/{status}",
        "detail": detail,
        **more,
        "error": detail,
    }
    return Reply(status, msgspec.json.encode(body), PROBLEM)


def no_authorization() -> Reply:
    """401 of the limiter, before any route."""
    return _problem(401, "Unauthorized", "No authorization header provided")


def rate_limited(limit: int, remaining: int, reset: int, now: int) -> Reply:
    """429: no Retry-After, the reset in milliseconds."""
    seconds = max(0, reset - now) / 1000
    detail = f"Rate limit exceeded 0/{limit} requests remaining. Retry in {seconds:g} seconds."
    return _problem(
        429, "Rate Limit Exceeded", detail, reset=reset, limit=limit, remaining=remaining, secondsUntilReset=seconds
    )


def forbidden() -> Reply:
    body = {"error": "Unauthorized", "code": "unauthorized", "param": "access_token", "type": "authorization"}
    return json(body, 403)


def wrong_method() -> Reply:
    return json({"message": "Unexpected Server Error"}, 405, x_remix_error="yes")


def internal_error() -> Reply:
    return error(500, "Internal Server Error")
