"""What both servers' route tables are made of: a request as the handlers see it, and a row a route."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.faults import Faults
from triggerdev_exporter.simulator.parameters import Params
from triggerdev_exporter.simulator.profiles import Profile
from triggerdev_exporter.simulator.replies import Reply
from triggerdev_exporter.simulator.world import World


@dataclass(frozen=True, slots=True)
class Ask:
    """One accepted request. `argument` is the variable part of the path, decoded once."""

    world: World
    profile: Profile
    faults: Faults
    params: Params
    argument: str
    body: bytes
    dated: bool
    """It carries ``x-trigger-api-version: 2025-07-16``."""
    origin: str
    omit_nulls: bool

    @property
    def now(self) -> Instant:
        return self.world.now

    @property
    def seen_at(self) -> Instant:
        """What the lagging view knows: the world as it was then."""
        return self.world.now - round(self.faults.view_lag_s * 1000)


class Guard(Enum):
    """Who guards a route: this decides the words of a 401, and what a restricted key meets."""

    NEW = "new"
    NO_SCOPES = "no scopes"
    """As NEW, but the route declares no authorization, so a restricted key is refused with 403."""
    OLDER = "older"
    LEGACY = "legacy"
    """A restricted key is refused with 401."""
    OPEN = "open"
    """No key is needed."""

    @property
    def refusal(self) -> str:
        """What a 401 says."""
        words = {Guard.OLDER: "Invalid or Missing API key", Guard.LEGACY: "Invalid or Missing API Key"}
        return words.get(self, "Invalid API key")


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table. `{}` in the path stands for one segment."""

    path: str
    endpoint: str
    answer: Callable[[Ask], Reply]
    guard: Guard = Guard.NEW
    method: str = "GET"
    limited: str = "api"
    """Which bucket it draws from: ``api``, ``deployments`` or ``""``."""
    view: bool = False
    """On the view plane: ClickHouse, not Postgres."""

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.path).replace(r"\{\}", "([^/]+)"))
