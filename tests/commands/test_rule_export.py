"""`rules export` as it is typed: what is printed, written and told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from triggerdev_exporter.cli import cli

RULES = """\
groups:
  - name: g
    rules:
      - alert: Paused
        when: {queue_paused: {queue: 'task/*'}}
        for: 1h
        severity: info
        labels: {team: web}
        annotations:
          summary: '"{{ queue }}" of {{ labels.team }} is paused'
          runbook: 'https://x.test/{{ queue | urlencode }}'
      - {alert: Slow, when: {duration: {window: 15m, above: 5m}}}
      - {alert: Gone, when: {queue_stalled: }, on_no_data: firing, annotations: {description: '{{ top_error }}'}}
"""
HELD = """\
# Made by `triggerdev-exporter rules export --format prometheus --mode held`. Change the rules, not this.
# The exporter decides, and holds an alert while its source cannot be read; Prometheus passes it on.
groups:
  - name: "g"
    interval: 1m
    rules:
      # Paused: queue_paused
      - alert: Paused
        expr: |
          max without (instance, pod) (triggerdev_alert_firing{alertname="Paused"}) == 1
        for: 0s
        keep_firing_for: 5m
        labels:
          severity: "info"
          team: "web"
        annotations:
          summary: "\\"{{ $labels.queue }}\\" of web is paused"
          runbook_url: "https://x.test/{{ $labels.queue | urlquery }}"
"""
PROMQL = """\
      - alert: Paused
        expr: |
          (
            max by (target, queue) (triggerdev_queue_depth{queue=~"task/.*"}) > 0
            and on (target, queue) max by (target, queue) (triggerdev_queue_paused{queue=~"task/.*"}) > 0
            and on (target) triggerdev:sighted{alertname="Paused"}
          )
          or on (target, queue) (  # nothing can be said: stays as it is
            NaN * max by (target, queue) (ALERTS{alertname="Paused", alertstate="firing"})
            unless on (target) triggerdev:sighted{alertname="Paused"}
            and on (target) present_over_time(triggerdev_collector_up{collector="queues"}[1d])
          )
        for: 1h
        labels:
          severity: "info"
          team: "web"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIGGERDEV_EXPORTER_CONFIG", raising=False)
    (tmp_path / "rules.yml").write_text(RULES, "utf-8")
    return tmp_path


def do(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["rules", "export", *arguments])


def test_held_is_the_default() -> None:
    done = do("rules.yml")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(HELD)
    assert done.stderr == ""


def test_promql_tells_what_it_leaves_out_and_what_differs() -> None:
    done = do("rules.yml", "--mode", "promql")
    assert done.exit_code == 0, done.output
    assert PROMQL in done.stdout
    why = "a percentile: the buckets of a histogram are too coarse for one that is exact to 1 %"
    assert done.stderr == (
        f"Slow (duration) is left out: {why}\n"
        "Gone: on_no_data: firing is left out; a series that is gone does not fire here\n"
    )
    assert f"# Slow (duration) is left out: {why}\n" in done.stdout
    assert "      # its description is another one: ours tells what only the exporter knows\n" in done.stdout


def test_the_operators_form_holds_the_same_groups() -> None:
    yaml = YAML(typ="safe", pure=True)
    plain = yaml.load(do("rules.yml").stdout)
    rule = yaml.load(do("rules.yml", "--format", "prometheusrule").stdout)
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["metadata"]["name"] == "triggerdev-exporter-held"
    assert rule["spec"] == plain


def test_files_are_written_and_name_each_other(folder: Path) -> None:
    done = do("rules.yml", "-o", "out/rules", "--tests", "out/tests/held_test.yml")
    assert (done.exit_code, done.stdout) == (0, "")
    assert (folder / "out/rules/held.rules.yml").read_text("utf-8") == do("rules.yml").stdout
    assert '  - "../rules/held.rules.yml"\n' in (folder / "out/tests/held_test.yml").read_text("utf-8")


def test_without_any_rules_the_shipped_ones_are_meant() -> None:
    assert "      - alert: QueueStalled\n" in do().stdout


def test_promtool_tests_no_operators_form() -> None:
    done = do("rules.yml", "--format", "prometheusrule", "--tests", "x.yml")
    assert done.exit_code == 2
    assert "promtool reads files of rules only" in done.stderr


def test_a_file_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "out").write_text("", "utf-8")
    done = do("rules.yml", "-o", "out/more")
    assert done.exit_code == 1
    assert "out/more/held.rules.yml" in done.stderr
