"""Every error this package raises on purpose, as one tree.

::

    ExporterError                      what `main` turns into a sentence and an exit code
    ├── ApiError(reason)               one request, page or answer that could not be used
    │   ├── Unauthorized               401: the key is not accepted
    │   ├── Forbidden                  403: the key may not read this
    │   ├── NotFound                   404: no such thing, or no such endpoint
    │   ├── RateLimited                429, or our own share is used up
    │   ├── TimedOut                   no complete answer within the deadline
    │   ├── Unreachable                no connection: refused, reset, name not found
    │   ├── TlsFailed                  certificate or handshake
    │   ├── HttpFailed                 any other status, a redirect, HTML where JSON was due
    │   ├── Unreadable                 a body that is not what the dialect says
    │   ├── Oversized                  a body over the cap
    │   ├── Truncated                  a body, or a list, that ends too early
    │   └── CursorBroken               a walk that does not move on
    ├── ConfigError                    what a person wrote is wrong; carries all mistakes
    └── StateError                     the state file cannot be used; says what to do

Foreign exceptions are translated where they enter (`api/client.py`, `ledger/store.py`, `config/`), never further in.
`ApiError.reason` is the value of the label ``reason`` and nothing else may become one.
"""

from __future__ import annotations

from typing import ClassVar


class ExporterError(Exception):
    """Base of all errors meant for a person; `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 1


class ApiError(ExporterError):
    """A request whose answer cannot be used. `str()` never holds a key or a body."""

    reason: ClassVar[str] = "http"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Unauthorized(ApiError):
    """401. Legacy routes answer it to a restricted key too, so it is confirmed before it is believed."""

    reason = "auth"


class Forbidden(ApiError):
    """403: the key is good, but not for this."""

    reason = "forbidden"


class NotFound(ApiError):
    """404. `is_json` tells a missing thing (JSON) from a missing endpoint (the server's HTML page)."""

    reason = "not_found"

    def __init__(self, message: str, *, is_json: bool) -> None:
        super().__init__(message, status=404)
        self.is_json = is_json


class RateLimited(ApiError):
    """429 after the waits that politeness allows."""

    reason = "rate_limited"


class TimedOut(ApiError):
    reason = "timeout"


class Unreachable(ApiError):
    reason = "unreachable"


class TlsFailed(ApiError):
    reason = "tls"


class HttpFailed(ApiError):
    reason = "http"


class Unreadable(ApiError):
    """A complete body that the dialect cannot turn into records. Nothing of it is used."""

    reason = "decode"


class Oversized(ApiError):
    reason = "oversize"


class Truncated(ApiError):
    reason = "truncated"


class CursorBroken(ApiError):
    reason = "cursor"


class StateError(ExporterError):
    """The state file is locked, corrupt, newer than this program, or belongs to another environment."""

    reason: ClassVar[str] = "state"


class ConfigError(ExporterError):
    """What a person wrote cannot be used. `mistakes` are ready to print, one a mistake."""

    exit_code = 2

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


#: The closed set of the label ``reason`` (DESIGN 5): errors above, and what the ledger reports about runs.
REASONS: tuple[str, ...] = (
    "auth",
    "forbidden",
    "not_found",
    "rate_limited",
    "timeout",
    "unreachable",
    "tls",
    "http",
    "decode",
    "oversize",
    "truncated",
    "cursor",
    "reopened",
    "vanished",
    "too_late",
    "state",
)
