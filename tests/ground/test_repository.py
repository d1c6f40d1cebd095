"""What the repository says about itself: no traces of a machine, one version, hashed requirements, who imports whom."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# In pieces, so that this file does not name them either.
INDEX_HOSTS = ["pypi" + ".org", "python" + "hosted.org", "registry" + ".npmjs", "deb" + ".debian.org"]
MACHINE_PATHS = ["/wor" + "k/", "/roo" + "t/", "/home/[a-z]+/\\.(?:pyenv|cache)"]
TRACES = re.compile(
    "|".join([re.escape(host) for host in INDEX_HOSTS] + [rf"(?<![\w.]){path}" for path in MACHINE_PATHS])
)


def test_no_file_names_an_index_or_a_machine(require: Callable[[str], str]) -> None:
    listed = subprocess.run([require("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            found += [f"{name}: {match[0]}" for match in TRACES.finditer(text)]
    assert found == []


def test_the_version_stands_in_one_place() -> None:
    source = (ROOT / "exporter/triggerdev_exporter/__init__.py").read_text("utf-8")
    (version,) = re.findall(r'^__version__ = "(\d+\.\d+\.\d+)"$', source, flags=re.MULTILINE)
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PYPROJECT["project"]
    assert version not in (ROOT / "pyproject.toml").read_text("utf-8")


def locked(name: str) -> dict[str, str]:
    """Distribution → version of a requirements file, each known to have a hash."""
    text = (ROOT / "requirements" / name).read_text("utf-8").replace("\\\n", " ")
    pins = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ;[^#]*?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert match, f"{name}: not a pin with hashes: {line[:80]}"
        pins[match[1]] = match[2]
    return pins


def test_requirements_are_pins_with_hashes_and_cover_pyproject() -> None:
    runtime, dev = locked("runtime.txt"), locked("dev.txt")
    wanted = dict.fromkeys(PYPROJECT["project"]["dependencies"], runtime)
    wanted |= dict.fromkeys(PYPROJECT["dependency-groups"]["dev"] + PYPROJECT["build-system"]["requires"], dev)
    wanted |= dict.fromkeys(PYPROJECT["dependency-groups"]["helm"], locked("helm.txt"))
    wanted |= dict.fromkeys(PYPROJECT["dependency-groups"]["build"], locked("build.txt"))
    for spec, pins in wanted.items():
        name = re.split(r"[<>=\[; ]", spec)[0].lower().replace(".", "-").replace("_", "-")
        assert name in pins, f"{name} is not locked: make lock"
    assert runtime.items() <= dev.items(), "requirements/dev.txt holds runtime.txt in the same versions: make lock"


def test_alerts_never_import_the_exporter() -> None:
    for path in (ROOT / "alerts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("triggerdev_exporter") for name in names), (
                f"{path}:{getattr(node, 'lineno', 0)}"
            )


@pytest.mark.parametrize("package", ["exporter/triggerdev_exporter", "alerts/triggerdev_alerts"])
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_ci_runs_what_make_test_runs() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").rstrip().endswith("exec make test"), "the README's command is the gate"
