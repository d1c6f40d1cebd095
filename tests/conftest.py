"""What every test may lean on: components that must be there, free ports, how hypothesis behaves. Nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import settings

from ports import free_ports

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# The same examples in every run, and no deadline: the machines that run this share their cores.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if IN_CI else "dev")


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """``require("promtool")``: its path. Skips without it, but fails in CI, where a skip hides a broken set-up."""

    def find(component: str) -> str:
        path = shutil.which(component)
        if path is not None:
            return path
        if IN_CI:
            pytest.fail(f"{component} is missing, and .ci/run installs what tests need")
        pytest.skip(f"{component} is not installed")

    return find


@pytest.fixture
def free_port() -> int:
    """A loopback port that was free a moment ago, for programs that cannot listen on port 0."""
    (port,) = free_ports(1)
    return port
