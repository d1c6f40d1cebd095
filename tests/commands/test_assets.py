"""`assets export` as it is typed: out of the checkout, and out of a wheel that was installed somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from triggerdev_exporter.cli import cli
from triggerdev_exporter.commands.assets import FOLDERS

ROOT = Path(__file__).parents[2]


def lying(folder: Path) -> dict[str, bytes]:
    """The files below the exported folders, by their path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in FOLDERS
        for path in (folder / name).rglob("*")
        if path.is_file()
    }


def test_it_writes_what_lies_in_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "out" / "grafana" / "dashboards").mkdir(parents=True)
    mine = tmp_path / "out" / "grafana" / "dashboards" / "mine.json"
    mine.write_text("{}", "utf-8")
    done = CliRunner().invoke(cli, ["assets", "export", str(tmp_path / "out")])
    assert (done.exit_code, done.stderr) == (0, "")
    assert mine.read_text("utf-8") == "{}", "what others put there stays"
    mine.unlink()
    found = lying(tmp_path / "out")
    assert found == lying(ROOT)
    assert {"grafana/dashboards/overview.json", "alerts/prometheus/held.rules.yml"} <= found.keys()
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"{tmp_path / 'out' / 'grafana' / 'dashboards'}: 8 files, dashboards to provision")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    done = CliRunner().invoke(cli, ["assets", "export", str(tmp_path / "file" / "below")])
    assert done.exit_code != 0
    assert "not a directory" in done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([*install, "--target", str(folder / "site"), str(wheel)], check=True, capture_output=True)
    return folder / "site"


def test_a_wheel_holds_all_of_it(installed: Path, tmp_path: Path) -> None:
    code = "import sys; from triggerdev_exporter.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "assets", "export", str(tmp_path / "out")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert lying(tmp_path / "out") == lying(ROOT)
    assert done.stderr == ""
