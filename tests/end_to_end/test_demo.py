"""The first thing a newcomer starts: the demo, from the greeting to Ctrl-C, and that what it shows is true."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from end_to_end.processes import Daemon, Stage, ask, stop_the_clock_and_compare, wait_until

SHOWN = (
    "runs_open",
    "run_duration_seconds_bucket",
    "queue_depth",
    "batches_open",
    "schedules",
    "deployment_current_info",
)
SHOWN += ("waitpoint_tokens_open", "runs_finished_total", "task_info", "target_info", "up")
ERROR = "PaymentError: card was declined"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def shows(daemon: Daemon, *names: str) -> bool:
    found = {name for name, _ in daemon.page()}
    return found.issuperset(f"triggerdev_{name}" for name in names)


def slack_messages(daemon: Daemon) -> list[str]:
    """What Slack was told of the failing task, whole messages only."""
    found = daemon.stdout.split("[FIRING, critical] TaskFailureRateHigh in demo")[1:]
    return [message.partition("└")[0] for message in found if "└" in message]


def assert_it_ends_cleanly(stage: Stage, daemon: Daemon, how: signal.Signals) -> None:
    assert daemon.end(how) == 0, daemon.evidence()
    assert "Traceback" not in daemon.stderr
    assert "Warning" not in daemon.stderr, daemon.stderr
    assert list(stage.folder.glob("triggerdev-exporter-demo-*")) == []


def test_the_demo_shows_everything_and_all_of_it_is_true(stage: Stage, require: Callable[[str], str]) -> None:
    promtool = require("promtool")
    daemon, simulator = stage.demo("--speed", "20")
    wait_until(lambda: shows(daemon, *SHOWN), "every kind of thing is on the page", daemon)
    wait_until(
        lambda: daemon.total("batches_finished_total") > 0 and daemon.total("runs_finished_total") > 20,
        "batches and runs end",
        daemon,
    )
    stop_the_clock_and_compare(simulator, daemon)

    # The clock that both share stands still; the daemon's wakes do not hang on it.
    asked = simulator.counts()["queues"]
    wait_until(lambda: simulator.counts()["queues"] > asked + 2, "a frozen clock does not stop the polls", daemon)
    assert simulator.clock() == simulator.clock()

    text = daemon.text()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

    page = daemon.text(accept=OPENMETRICS)
    assert page.endswith("\n# EOF\n")
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert families["triggerdev_runs_finished"].type == "counter"
    assert families["triggerdev_run_wait_seconds"].type == "histogram"

    catalogue = {row["name"] for row in json.loads(stage.do("metrics", "--format", "json").stdout)}
    told = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE triggerdev_")]
    assert set(told) <= catalogue
    assert len(told) == len(set(told))

    assert_it_ends_cleanly(stage, daemon, signal.SIGINT)


@pytest.mark.parametrize("profile", ["seed", "v4.4", "latest"])
def test_each_profile_has_its_demo(stage: Stage, profile: str) -> None:
    daemon, _ = stage.demo("--profile", profile)
    wait_until(daemon.is_ready, "the demo is ready", daemon)
    wait_until(lambda: shows(daemon, "runs_open", "queue_depth", "schedules", "up"), "it shows something", daemon)
    assert daemon.value("up") == 1
    assert_it_ends_cleanly(stage, daemon, signal.SIGTERM)


def test_the_greeting_is_true(stage: Stage) -> None:
    """At the speed of life: every address that it names answers."""
    daemon, simulator = stage.demo()
    landing = ask(f"{daemon.url}/")
    assert (landing.status, landing.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "demo" in landing.text
    assert simulator.url in ask(f"{daemon.url}/targets").text
    assert "tr_prod_demo" not in landing.text
    assert set(ask(f"{simulator.url}/_sim/truth").json) == {"now", "since", "families"}
    queues = ask(f"{simulator.url}/api/v1/queues", authorization="Bearer tr_dev_whatever")
    assert queues.status == 200
    assert queues.json["data"]
    wait_until(lambda: shows(daemon, *SHOWN), "a minute is enough to see everything", daemon, within=60)
    wait_until(daemon.is_ready, "it is ready", daemon)
    assert_it_ends_cleanly(stage, daemon, signal.SIGINT)


def test_ctrl_c_while_the_world_is_made_leaves_nothing_behind(stage: Stage) -> None:
    """SIGTERM too: its default would end the process and leave the folder."""
    for how in (signal.SIGINT, signal.SIGTERM):
        demo = stage.ours(Daemon, "demo", "demo", "--listen", "127.0.0.1:0")
        wait_until(lambda demo=demo: "made up" in demo.stdout, "it begins", demo, every=0.005)
        assert demo.end(how) in (0, 1)
        assert "Traceback" not in demo.stderr
        assert list(stage.folder.glob("triggerdev-exporter-demo-*")) == []


def test_a_failing_task_is_told_from_pending_to_resolved(stage: Stage) -> None:
    """What the greeting promises: in metrics, in the log with its reasons, and what Slack and a webhook would get."""
    daemon, _ = stage.demo("--speed", "20")
    states = set()

    def is_over() -> bool:
        states.update(
            dict(labels)["state"]
            for (name, labels), count in daemon.page().items()
            if name == "triggerdev_alerts" and ("alertname", "TaskFailureRateHigh") in labels and count
        )
        # All of it: what a busy machine kept us from seeing of one storm, another storm shows half a minute later. A
        # message does not wait for errors that are looked up too slowly, either.
        return (
            "firing" in states
            and any(ERROR in message for message in slack_messages(daemon))
            and '"type": "alert.resolved"' in daemon.stdout
        )

    wait_until(is_over, "the alert fires, with its error, and is resolved", daemon, within=180)

    # Of one task: the rule is about all of them, and others fail too.
    about = r"alertname=TaskFailureRateHigh .*task=charge-card\S* reason=(\w+)"
    told = re.findall(rf"(an alert [a-z ]+?) {about}", daemon.stderr)
    fires = told.index(("an alert fires", "condition_met"))
    assert told[fires - 1] == ("an alert is pending", "condition_met")
    assert told[fires + 1] == ("an alert is resolved", "condition_cleared")

    assert "[RESOLVED] TaskFailureRateHigh in demo" in daemon.stdout
    slack = next(message for message in slack_messages(daemon) if ERROR in message)
    assert "charge-card fails:" in slack
    assert re.search(r"run_\w+ \(http://127\.0\.0\.1:\d+/\S+\) (FAILED|CRASHED)", slack)
    assert "triggerdev-exporter silence add alertname=TaskFailureRateHigh target=demo task=charge-card" in slack
    for kind in ("alert.firing", "alert.resolved"):
        assert f'"type": "{kind}"' in daemon.stdout
    assert_it_ends_cleanly(stage, daemon, signal.SIGINT)
