"""What is made to go wrong: one mutable value, set by code or by ``POST /_sim/faults``.

Times are seconds. `endpoints` maps an endpoint's name (`ENDPOINTS`) to what happens to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

#: The names under which endpoints are counted and broken.
ENDPOINTS = (
    "runs",
    "run",
    "queues",
    "batch",
    "schedules",
    "deployments",
    "deployment",
    "current_deployment",
    "tokens",
    "token",
    "query",
    "errors",
)


@dataclass
class EndpointFault:
    """What goes wrong with one endpoint, `times` times (``None``: always)."""

    status: int | None = None
    """Answer this status with a JSON error."""
    deny: int | None = None
    """401 or 403, in the words of the route."""
    html: bool = False
    """An HTML page, with 200."""
    cut: str = ""
    """``json``: a body that ends too early; ``connection``: a connection that does."""
    oversize_mb: int = 0
    """Stream that many megabytes."""
    repeat_cursor: bool = False
    """``pagination.next`` is always the same."""
    null_dates: bool = False
    """The first item of the list has null for its dates."""
    latency_s: float = 0.0
    times: int | None = None

    def __post_init__(self) -> None:
        # A fault that does nothing makes a test that proves nothing.
        if self.deny not in (None, 401, 403):
            raise ValueError(f"deny is 401 or 403, not {self.deny}; other statuses are status")
        if self.cut not in ("", "json", "connection"):
            raise ValueError(f"cut is json or connection, not {self.cut}")


@dataclass
class Faults:
    """All faults of one simulator. A fresh one is a healthy server."""

    view_lag_s: float = 0.0
    """Run list and query know the runs as they were so long ago; bodies are of now, so pages come short."""
    view_status: int | None = None
    """Run list and query answer this status (500: the view is down)."""
    view_delay_s: float = 0.0
    view_empty: bool = False
    """Run list and query answer nothing, with 200."""
    api_down: str = ""
    """``reset``: connections are reset; ``503``: every request answers 503."""
    always_429: bool = False
    query_busy: bool = False
    """All query slots of the project are taken."""
    clock_skew_s: float = 0.0
    """Added to the ``Date`` header."""
    revoked: set[str] = field(default_factory=set)
    restricted: set[str] = field(default_factory=set)
    """Keys with scopes: refused by legacy routes (401) and by waitpoints (403)."""
    endpoints: dict[str, EndpointFault] = field(default_factory=dict)

    def on(self, endpoint: str, **what: Any) -> EndpointFault:
        """Break `endpoint`: ``faults.on("runs", status=500)``."""
        if endpoint not in ENDPOINTS:
            raise ValueError(f"no such endpoint: {endpoint!r}; there are {', '.join(ENDPOINTS)}")
        fault = EndpointFault(**what)
        self.endpoints[endpoint] = fault
        return fault

    def clear(self) -> None:
        """Heal everything."""
        fresh = Faults()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def take(self, endpoint: str) -> EndpointFault | None:
        """The fault that this request to `endpoint` meets; counts it."""
        fault = self.endpoints.get(endpoint)
        if fault is None or fault.times == 0:
            return None
        if fault.times is not None:
            fault.times -= 1
        return fault

    def update(self, document: dict[str, Any]) -> None:
        """Apply a JSON document: the same names; ``endpoints`` entries replace, null heals; ``clear: true`` first."""
        if document.get("clear"):
            self.clear()
        known = {each.name for each in fields(self)}
        for name, value in document.items():
            if name == "clear":
                continue
            if name not in known:
                raise ValueError(f"no such fault: {name!r}")
            if name == "endpoints":
                for endpoint, what in value.items():
                    if what is None:
                        self.endpoints.pop(endpoint, None)
                    else:
                        self.on(endpoint, **what)
            else:
                setattr(self, name, set(value) if name in {"revoked", "restricted"} else value)
