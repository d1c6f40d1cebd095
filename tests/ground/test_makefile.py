"""The Makefile as a newcomer meets it: what it lists, and what it says on a machine without a Python to use."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = "help setup demo run test soak bench lint format docs pictures previews lock build clean".split()


def test_make_alone_lists_every_target(require: Callable[[str], str]) -> None:
    shown = subprocess.run([require("make")], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  ([a-z]+) +\S", shown, flags=re.MULTILINE) == TARGETS


def bare_machine(tmp_path: Path, python: str | None) -> Path:
    """A checkout, and a PATH that holds nothing but the tools POSIX promises and perhaps a `python3`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "rm", "touch", "env"):
        (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    if python is not None:
        (tools / "python3").write_text(python, "utf-8")
        (tools / "python3").chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tools


@pytest.mark.parametrize(
    ("python", "said"),
    [
        (None, "no Python >= 3.11 found on PATH"),
        ("#!/bin/sh\nexit 1\n", "no Python >= 3.11 found on PATH"),  # too old, or a stub that does not start
        ('#!/bin/sh\n[ "$1" != -m ]\n', "cannot make a virtual environment (on Debian: apt-get install python3-venv)"),
    ],
)
def test_a_machine_without_a_usable_python_is_told(
    python: str | None, said: str, tmp_path: Path, require: Callable[[str], str]
) -> None:
    tools = bare_machine(tmp_path, python)
    done = subprocess.run(
        [require("make"), "demo"], cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()
