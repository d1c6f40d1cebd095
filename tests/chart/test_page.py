"""docs/kubernetes.md: its values are ones that the chart takes, and lead where the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from chart.helm import CHART, ONE_SECRET, Helm, Rendered
from chart.mounted import mount
from triggerdev_exporter.cli import cli

Object = dict[str, Any]
Render = Callable[[Object], Rendered]

PAGE = (CHART.parents[1] / "docs" / "kubernetes.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
VALUES = [yaml.safe_load(block) for block in BLOCKS if block.startswith("# values.yaml")]


def merged(base: Object, more: Object) -> Object:
    """As Helm merges files of values."""
    found = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


@pytest.mark.parametrize("values", VALUES, ids=[next(iter(each)) for each in VALUES])
def test_each_piece_is_taken(render: Render, values: Object) -> None:
    render(merged(ONE_SECRET, values))


def test_the_way_to_slack(render: Render, tmp_path: Path) -> None:
    """The pieces of the steps 2 to 5, one after another, as a reader would have them in a file."""
    whole: Object = {}
    for values in VALUES:
        if values.keys() & {"image", "monitor", "alerts", "dashboards"}:
            whole = merged(whole, values)
    rendered = render(whole)
    assert rendered.kinds().count("PodMonitor") == 1
    assert len(rendered.all("ConfigMap")) > 2
    assert "WARNING" not in rendered.notes
    done = CliRunner().invoke(cli, ["check"], env=mount(rendered, tmp_path).environ)
    assert (done.exit_code, done.stderr) == (0, "")


def test_names_that_are_typed_are_the_real_ones(helm: Helm) -> None:
    rendered = helm.render(ONE_SECRET)
    name = rendered.workload["metadata"]["name"]
    assert set(re.findall(r"statefulset/([\w-]+)|service/([\w-]+)", PAGE)) == {(name, ""), ("", name)}
    claim = rendered.workload["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    assert set(re.findall(r"pvc ([\w-]+)", PAGE)) == {f"{claim}-{name}-0"}


def test_commands_that_are_typed_exist() -> None:
    for words in re.findall(r"triggerdev-exporter ((?:[a-z]+ ?)+)", PAGE.replace("--set", "")):
        command: Any = cli
        for word in words.split()[:2]:
            if hasattr(command, "commands") and word in command.commands:
                command = command.commands[word]
        assert command is not cli, words


def test_examples_of_others_are_yaml() -> None:
    others = [yaml.safe_load(block) for block in BLOCKS if not block.startswith("# values.yaml")]
    assert {each["kind"] for each in others} == {"Application", "HelmRelease"}
