"""What the chart holds of other folders, what its page says, and what an archive of it holds."""

from __future__ import annotations

import importlib.util
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from chart.helm import CHART, Helm
from triggerdev_exporter import __version__

ROOT = CHART.parents[1]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart_writer", ROOT / "docs" / "chart.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_chart_holds_the_rules_and_dashboards_of_the_folders(writer: ModuleType) -> None:
    held = {str(path.relative_to(CHART)): path.read_bytes() for path in (CHART / "files").rglob("*") if path.is_file()}
    assert held == writer.copies(), "make docs copies them"
    assert len([name for name in held if name.startswith("files/dashboards/")]) >= 5


def test_an_archive_holds_them_too_and_nothing_that_is_none_of_its_business(helm: Helm, tmp_path: Path) -> None:
    with tarfile.open(helm.package(tmp_path)) as archive:
        held = {
            member.name.removeprefix("triggerdev-exporter/"): file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    folders = {
        "rules": (ROOT / "alerts/prometheus", "*.rules.yml"),
        "dashboards": (ROOT / "grafana/dashboards", "*.json"),
    }
    for kind, (folder, pattern) in folders.items():
        names = {path.name: path.read_bytes() for path in folder.glob(pattern)}
        assert names
        assert {name.rsplit("/", 1)[1]: raw for name, raw in held.items() if name.startswith(f"files/{kind}/")} == names
    assert not [name for name in held if name.startswith("ci/")]
    assert {"Chart.yaml", "README.md", "values.yaml", "values.schema.json", "templates/workload.yaml"} <= held.keys()


def test_the_page_says_what_values_there_are(writer: ModuleType) -> None:
    text = (CHART / "README.md").read_text("utf-8")
    assert text == writer.filled(text), "make docs writes it"


def paths(values: Any, below: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of each value that is written in values.yaml."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*below, key))
        else:
            yield (*below, key)


def test_every_value_is_explained(writer: ModuleType) -> None:
    text = (CHART / "values.yaml").read_text("utf-8")
    explained = {path for path, _ in writer.described(text)}
    for path in paths(yaml.safe_load(text)):
        assert any(path[:length] in explained for length in range(1, len(path) + 1)), ".".join(path)


def test_the_chart_is_of_the_version_of_the_program() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert about["appVersion"] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", about["version"])


def test_there_is_no_other_chart_to_trust() -> None:
    assert "dependencies" not in yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
