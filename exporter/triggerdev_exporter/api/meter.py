"""What the client saw of the API, as plain data: the client writes, the metrics read. No decisions here."""

from __future__ import annotations

from dataclasses import dataclass, field

from triggerdev_exporter.clock import SECOND, Instant

ENDPOINTS: tuple[str, ...] = (
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
    "probe",
)
"""The closed set of the label ``endpoint``."""

LATENCY_BOUNDS: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_DATE_RESOLUTION = 500
_SAME_TIME = 1_500
_SLOW = 2 * SECOND


@dataclass(slots=True)
class Latency:
    """A histogram of seconds: `counts` has a cell a bound, and one more for all above."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    total: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        cell = next((i for i, bound in enumerate(LATENCY_BOUNDS) if seconds <= bound), len(LATENCY_BOUNDS))
        self.counts[cell] += 1
        self.total += seconds


@dataclass(slots=True)
class ApiMeter:
    """The sums of one target since the process started. ``None`` means not seen yet."""

    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    """By (endpoint, code): the HTTP status as text, or an error's reason where no usable answer came."""
    latency: dict[str, Latency] = field(default_factory=dict)
    """By endpoint, over every request, failed ones included."""
    rate_limit: int | None = None
    rate_limit_remaining: int | None = None
    throttled_seconds: float = 0.0
    up: bool | None = None
    """The last request reached the API and the key was accepted."""
    server_offset: int = 0
    """Milliseconds that the server's clock is ahead of ours."""
    is_dated: bool = False
    """Whether the server ever told its time."""

    def request(self, endpoint: str, code: str, seconds: float, *, up: bool) -> None:
        """One request ended, well or badly."""
        key = (endpoint, code)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.latency.setdefault(endpoint, Latency()).add(seconds)
        self.up = up

    def quota(self, limit: int, remaining: int) -> None:
        """The server told how full its bucket is."""
        self.rate_limit, self.rate_limit_remaining = limit, remaining

    def throttled(self, seconds: float) -> None:
        """We held a request back for so long."""
        self.throttled_seconds += seconds

    def server_date(self, date: Instant, sent: Instant, received: Instant) -> None:
        """The server said that it was `date`, in whole seconds, somewhere between our `sent` and `received`.

        A Date header is up to a second old, and the way takes its time: a small difference is none. An answer that took
        long says little: it only counts when what we believe so far cannot be true.
        """
        self.is_dated = True
        believed = date - received <= self.server_offset <= date + SECOND - sent
        if received - sent > _SLOW and believed:
            return
        offset = date + _DATE_RESOLUTION - (sent + received) // 2
        self.server_offset = 0 if abs(offset) <= _SAME_TIME else offset

    def server_now(self, now: Instant) -> Instant:
        """The server's time when our clock shows `now`."""
        return now + self.server_offset
