"""What a start costs: which modules are imported, and that what is rarely used is imported when it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Libraries and parts of ours that most starts never need: each is imported where it is used.
RARE = (
    "aiosmtplib",
    "bcrypt",
    "google.protobuf",
    "grpc",
    "jinja2",
    "opentelemetry",
    "prometheus_client.openmetrics.parser",
    "prometheus_client.parser",
    "rich",
    "triggerdev_exporter.demo",
    "triggerdev_exporter.doctor",
    "triggerdev_exporter.replay",
    "triggerdev_exporter.simulator",
    "triggerdev_exporter.spans.grpc_door",
    "triggerdev_exporter.spans.http_door",
    "triggerdev_exporter.spans.sender",
    "unittest",
)
#: What the daemon needs, and `--help` does not.
OF_THE_DAEMON = ("aiohttp", "apscheduler", "msgspec", "prometheus_client", "pydantic", "ruamel")

DAEMON = "triggerdev_exporter.cli, triggerdev_exporter.app, triggerdev_exporter.config.load"
#: Its libraries; Jinja and YAML too, which come with the first page and the first file.
FLOOR = "aiohttp.web, apscheduler.schedulers.asyncio, click, jinja2, msgspec, prometheus_client, pydantic, ruamel.yaml"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def imported(modules: str) -> set[str]:
    return set(run(f"import sys, {modules}; print(*sys.modules)").split())


def processor_time(modules: str) -> float:
    """Seconds of processor time to import them in a fresh process."""
    code = f"import {modules}, resource; u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    return float(run(code))


@pytest.mark.parametrize(
    ("modules", "unwanted"), [(DAEMON, RARE), ("triggerdev_exporter.cli", (*RARE, *OF_THE_DAEMON))], ids=["run", "help"]
)
def test_what_is_rarely_used_is_not_imported(modules: str, unwanted: tuple[str, ...]) -> None:
    found = imported(modules)
    assert [name for name in unwanted if any(one == name or one.startswith(f"{name}.") for one in found)] == []


def test_importing_the_daemon_costs_little_beyond_its_libraries() -> None:
    """The bound is a ratio, since machines differ; in turns and the least of each, since others use it too."""
    floor, ours = map(min, zip(*[(processor_time(FLOOR), processor_time(DAEMON)) for _ in range(4)], strict=True))
    assert ours < 3 * floor, f"{ours * 1000:.0f} ms, and the libraries alone take {floor * 1000:.0f} ms"
