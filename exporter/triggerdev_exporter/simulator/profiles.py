"""Which server is played: one row of switches a version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """One server. `seed` is another dialect altogether; of the switches below it heeds only the dialect."""

    name: str
    dialect: str = "trigger"
    composite_cursors: bool = True
    """Base64url of createdAt and id; else the bare internal id."""
    ascending_backward: bool = True
    """``page[before]`` answers oldest first (v4.5.1)."""
    kind_and_region: bool = True
    """``taskKind`` and ``region`` on runs, and their filters (v4.5.0)."""
    current_deployment: bool = True
    """``GET /api/v1/deployments/current`` (v4.5.0)."""
    errors: bool = True
    """``GET /api/v1/errors`` (v4.5.0)."""
    environment_buckets: bool = True
    """One rate bucket an environment (v4.5.10); else one an Authorization header."""
    deployment_bucket: bool = True
    """Deployments have a bucket of their own (v4.5.11)."""
    query_busy_status: int = 429
    """What a fourth query at a time answers; 400 before v4.5.11."""
    query_schema: bool = True
    queue_version: bool = False
    """``version: "V1"`` on queues (after v4.5)."""


PROFILES: dict[str, Profile] = {
    "seed": Profile("seed", dialect="seed"),
    "v4.4": Profile(
        "v4.4",
        composite_cursors=False,
        ascending_backward=False,
        kind_and_region=False,
        current_deployment=False,
        errors=False,
        environment_buckets=False,
        deployment_bucket=False,
        query_busy_status=400,
    ),
    "v4.5": Profile("v4.5"),
    "latest": Profile("latest", queue_version=True),
}
