"""compose.yaml and what it mounts, checked without a container engine: each file by the program that will read it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from dashboards.shipped import GRAFANA, read
from image.compose import filled
from triggerdev_exporter.cli import cli

ROOT = GRAFANA.parent


def parsed(path: Path) -> Any:
    return YAML(typ="safe").load(path)


@pytest.fixture(scope="module")
def compose() -> Mapping[str, Any]:
    made: Mapping[str, Any] = parsed(ROOT / "compose.yaml")
    return made


def mounts(service: Mapping[str, Any]) -> dict[str, Path]:
    """What of the checkout lies where in the container."""
    found = {}
    for one in service.get("volumes", []):
        source, target, *mode = one.split(":")
        if source.startswith("./"):
            assert mode == ["ro"], one
            found[target] = ROOT / source
    return found


def test_it_has_the_four_and_shows_them_to_this_machine_alone(compose: Mapping[str, Any]) -> None:
    services = compose["services"]
    assert list(services) == ["exporter", "prometheus", "alertmanager", "grafana"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        # Without a tag it would be another program tomorrow.
        assert "build" in service or re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        for path in mounts(service).values():
            assert path.exists(), path
        named = {one.split(":")[0] for one in service.get("volumes", []) if not one.startswith("./")}
        assert named <= compose["volumes"].keys()


@pytest.mark.parametrize("environ", [{}, {"EXPORTER": "run", "TRIGGER_SECRET_KEY": "tr_prod_madeupmadeup"}])
def test_the_exporter_is_started_as_it_can_be(compose: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    service = compose["services"]["exporter"]
    name, *arguments = shlex.split(filled(service["command"], environ))
    command = cli.commands[name]
    context = command.make_context(name, arguments)
    port = compose["services"]["exporter"]["ports"][0].rsplit(":", 1)[1]
    assert (context.params["listen"] or "0.0.0.0:9925") == f"0.0.0.0:{port}"
    if name == "run":
        own = {key: filled(value, environ) for key, value in service["environment"].items()}
        done = CliRunner().invoke(cli, ["check"], env=own)
        assert (done.exit_code, done.stderr) == (0, "")
        assert "State: /var/lib/triggerdev-exporter/state.db" in done.stdout
    assert isinstance(command, click.Command)


def test_promtool_takes_the_configuration_of_prometheus(
    compose: Mapping[str, Any], tmp_path: Path, require: Callable[[str], str]
) -> None:
    service = compose["services"]["prometheus"]
    for target, source in mounts(service).items():
        place = tmp_path / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source.read_text("utf-8").replace("/etc/prometheus/", f"{tmp_path}/etc/prometheus/"), "utf-8")
    config = tmp_path / "etc/prometheus/prometheus.yml"
    assert f"--config.file=/{config.relative_to(tmp_path)}" in service["command"]
    done = subprocess.run(
        [require("promtool"), "check", "config", "--lint-fatal", "--lint=all", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 1 rule files found" in done.stdout
    read = parsed(config)
    hosts = [
        host
        for section in (read["scrape_configs"], read["alerting"]["alertmanagers"])
        for one in section
        for static in one["static_configs"]
        for host in static["targets"]
    ]
    for host in hosts:
        name, port = host.split(":")
        assert compose["services"][name]["ports"][0].endswith(f":{port}")


def test_amtool_takes_the_configuration_of_alertmanager(
    compose: Mapping[str, Any], require: Callable[[str], str]
) -> None:
    ((target, source),) = mounts(compose["services"]["alertmanager"]).items()
    assert f"--config.file={target}" in compose["services"]["alertmanager"]["command"]
    done = subprocess.run([require("amtool"), "check-config", str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_the_data_sources_and_the_dashboards(compose: Mapping[str, Any]) -> None:
    service = compose["services"]["grafana"]
    mounted = mounts(service)
    assert mounted["/etc/grafana/provisioning"] == GRAFANA / "provisioning"
    (provider,) = parsed(GRAFANA / "provisioning/dashboards/triggerdev.yaml")["providers"]
    assert mounted[provider["options"]["path"]] == GRAFANA / "dashboards"
    assert provider["allowUiUpdates"] is False
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/overview.json"

    text = (GRAFANA / "provisioning/datasources/triggerdev.yaml").read_text("utf-8")
    prometheus, tempo = parsed(GRAFANA / "provisioning/datasources/triggerdev.yaml")["datasources"]
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)\}", text))
    assert wanted <= service["environment"].keys(), "Grafana puts nothing where a variable is unknown"
    scraped = parsed(GRAFANA / "compose/prometheus.yml")["global"]["scrape_interval"]
    assert prometheus["jsonData"]["timeInterval"] == scraped, "Grafana chooses the windows of rates by it"
    to_run, to_trace = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    assert (to_run["name"], to_trace["name"]) == ("run_id", "trace_id")
    assert to_trace["datasourceUid"] == tempo["uid"]
    assert tempo["jsonData"]["tracesToMetrics"]["datasourceUid"] == prometheus["uid"]
    assert prometheus["isDefault"], "the dashboards' variable begins with the default"
    assert any(target["exemplar"] for panel in read("overview")["panels"] for target in panel.get("targets", []))
