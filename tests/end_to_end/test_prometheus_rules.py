"""From the API to a person by way of Prometheus: the rules that we export, and the files that compose.yaml mounts.

Everything is real but the API and the person: daemon, Prometheus, Alertmanager. Only waits are shortened.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from end_to_end.person import open_person
from end_to_end.processes import Program, Stage, ask, wait_until
from ports import free_ports

COMPOSE = Path(__file__).parents[2] / "grafana" / "compose"
RULES = """\
version: 1
groups:
  - name: queues
    interval: 10s
    rules:
      - alert: QueuePaused
        when: {queue_paused: }
        for: 0s
        severity: warning
        annotations: {summary: "{{ queue }} is paused", runbook: alerts/runbooks/QueuePaused.md}
"""


def configure(folder: Path, *, exporter: str, alertmanager: int, person: str) -> None:
    """The files of compose.yaml with the addresses of here, and the rules; all in a hurry."""
    prometheus = (COMPOSE / "prometheus.yml").read_text("utf-8")
    for old, new in (
        ("15s", "1s"),
        ("/etc/prometheus/rules/held.rules.yml", str(folder / "held.rules.yml")),
        ("alertmanager:9093", f"127.0.0.1:{alertmanager}"),
        ("exporter:9925", exporter),
    ):
        assert old in prometheus
        prometheus = prometheus.replace(old, new)
    (folder / "prometheus.yml").write_text(prometheus, "utf-8")
    told = (COMPOSE / "alertmanager.yml").read_text("utf-8")
    hurried = told.replace("group_wait: 10s", "group_wait: 10ms").replace(
        "{name: people}", f'{{name: people, webhook_configs: [{{url: "{person}"}}]}}'
    )
    assert hurried.count(person) == 1
    (folder / "alertmanager.yml").write_text(hurried, "utf-8")
    rules = folder / "held.rules.yml"
    # The engine's own interval stays; Prometheus looks each second.
    rules.write_text(re.sub(r"interval: 10s", "interval: 1s", rules.read_text("utf-8")), "utf-8")


def start(stage: Stage, require: Callable[[str], str], folder: Path, prometheus: int, alertmanager: int) -> None:
    commands = {
        "prometheus": [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{prometheus}"],
        "prometheus-alertmanager": [
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
    }
    for name, options in commands.items():
        config = folder / f"{name.removeprefix('prometheus-')}.yml"
        command = [require(name), f"--config.file={config}", "--log.level=warn", *options]
        program = stage.start(Program, name, command)
        port = prometheus if name == "prometheus" else alertmanager
        wait_until(
            lambda port=port: ask(f"http://127.0.0.1:{port}/-/ready").status == 200,  # type: ignore[misc]  # the port
            f"{name} is ready",
            program,
        )


async def test_an_alert_reaches_a_person_by_way_of_prometheus(
    stage: Stage, require: Callable[[str], str], tmp_path: Path
) -> None:
    prometheus, alertmanager = free_ports(2)
    (tmp_path / "rules.yml").write_text(RULES, "utf-8")
    exported = await asyncio.to_thread(
        stage.do, "rules", "export", "rules.yml", "-o", ".", "--grafana-at", "https://grafana.example"
    )
    assert (exported.code, exported.stderr) == (0, "")
    async with open_person() as person:
        # The shop's queue crm is paused, and holds runs.
        simulator = await asyncio.to_thread(stage.simulate, "--scenario", "shop")
        config = stage.config(simulator, more="alerts: {files: [rules.yml], shipped: false}\n")
        daemon = await asyncio.to_thread(stage.run, "--config", str(config))
        exporter = daemon.url.removeprefix("http://")
        configure(tmp_path, exporter=exporter, alertmanager=alertmanager, person=person.url)
        await asyncio.to_thread(start, stage, require, tmp_path, prometheus, alertmanager)
        await asyncio.to_thread(
            wait_until, lambda: person.messages, "somebody is told", *stage.programs, within=120, every=0.2
        )
    message = person.messages[0]
    (alert,) = message["alerts"]
    assert (message["receiver"], alert["status"]) == ("people", "firing")
    assert alert["labels"] == {
        "alertname": "QueuePaused",
        "severity": "warning",
        "target": "shop",
        "queue": "crm",
        "job": "triggerdev",
    }
    assert alert["annotations"] == {
        "summary": "crm is paused",
        "runbook_url": "alerts/runbooks/QueuePaused.md",
        "dashboard_url": "https://grafana.example/d/triggerdev-queues?var-target=shop&var-queue=crm",
        "status_url": "/alerts",
    }
    # And it is the one that the daemon itself holds.
    (ours,) = [one for one in ask(f"{daemon.url}/api/v1/alerts").json["alerts"] if one["state"] == "firing"]
    assert ours["labels"]["queue"] == "crm"
