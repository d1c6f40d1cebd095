"""What npm brings for tests: installed once into ``node_modules`` beside a lock file, whoever comes first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path, npm: str) -> None:
    """Install the lock file of `folder`; several workers may start at once. Skips when it cannot, but fails in CI."""
    installed, lock = folder / "node_modules" / ".installed-for", (folder / "package-lock.json").read_text()
    with (folder / ".npm-lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if installed.exists() and installed.read_text() == lock:
            return
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts"], cwd=folder, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode != 0:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
            (pytest.fail if in_ci else pytest.skip)(f"npm ci failed: {done.stderr.strip()[-300:]}")
        installed.write_text(lock)
