"""When the API is not as it should be: the daemon lives, says so once, shows nothing untrue, and recovers or ends."""

from __future__ import annotations

import json
import signal
from collections import Counter

from end_to_end.processes import KEY, Daemon, Stage, ask, stop_the_clock_and_compare, wait_until

COLLECTORS = {"runs", "queues", "batches", "schedules", "deployments", "waitpoints"}


def failures(daemon: Daemon) -> Counter[str]:
    """How often each collector said that it fails."""
    return Counter(line["collector"] for line in daemon.events("failing"))


def have_failed(daemon: Daemon, reason: str) -> set[str]:
    """The collectors that counted such a failure."""
    return {
        dict(labels)["collector"]
        for (name, labels), count in daemon.page().items()
        if name == "triggerdev_collector_errors_total" and ("reason", reason) in labels and count
    }


def test_a_wrong_key_is_told_once_and_never_shown(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "idle")
    simulator.faults(revoked=[KEY])
    daemon = stage.watch(simulator, TRIGGERDEV_EXPORTER_LOG_LEVEL="debug")
    wait_until(lambda: daemon.total("collector_errors_total", reason="auth") > 0, "the key is refused", daemon)
    wait_until(lambda: have_failed(daemon, "auth") == COLLECTORS, "by all", daemon)
    assert daemon.value("up") == 0
    assert ask(f"{daemon.url}/-/healthy").status == 200
    assert not [name for name, _ in daemon.page() if name.startswith(("triggerdev_run", "triggerdev_queue"))]

    # A refused key is left alone for half a minute: nobody asks again and again.
    asked = simulator.counts()
    served = ask(f"{daemon.url}/").text + daemon.text() + daemon.text(accept="application/openmetrics-text")
    assert "prod cannot be read" in served
    assert simulator.counts() == asked
    assert sum(asked.values()) <= 3 * len(COLLECTORS)
    told = [line for line in daemon.log if line["level"] in ("warning", "error")]
    assert len(told) == 1, told
    assert "key" in told[0]["event"]

    assert daemon.end() == 0
    secret = KEY.removeprefix("tr_prod_")
    for said in (daemon.stdout, daemon.stderr, served):
        assert secret not in said
        assert "Traceback" not in said


def loaded(daemon: Daemon) -> set[str]:
    """Names of the rules that the daemon uses."""
    return {rule["name"] for rule in json.loads(ask(f"{daemon.url}/api/v1/rules").body)["rules"]}


def test_a_hangup_reloads_the_rules_and_bad_ones_change_nothing(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "idle")
    rules = stage.folder / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{alert: Mine, when: {queue_paused: }}]}]\n", "utf-8")
    daemon = stage.run("--config", str(stage.config(simulator, more="alerts: {files: [rules.yml]}\n")))
    wait_until(daemon.is_ready, "it is ready", daemon)

    rules.write_text("groups: [{name: g, rules: [{alert: Mine, when: {queue_pause: }}]}]\n", "utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: daemon.events("the configuration could not be reloaded; the old one stays"), "it says so", daemon
    )
    assert daemon.value("exporter_config_last_reload_successful") == 0
    assert "Mine" in loaded(daemon)

    rules.write_text("groups: [{name: g, rules: [{alert: Other, when: {queue_paused: }}]}]\n", "utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.events("reloaded"), "they are", daemon)
    assert daemon.value("exporter_config_last_reload_successful") == 1
    assert {"Mine", "Other"} & loaded(daemon) == {"Other"}

    rules.unlink()
    refused = ask(f"{daemon.url}/-/reload", method="POST")
    assert (refused.status, refused.body.decode().endswith("The old configuration stays.\n")) == (422, True)
    rules.write_text("groups: []\n", "utf-8")
    assert ask(f"{daemon.url}/-/reload", method="POST").body == b"Reloaded.\n"
    assert not {"Mine", "Other"} & loaded(daemon)
    assert daemon.end() == 0


def test_a_key_is_never_in_a_debug_log(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "idle", "--profile", "seed")
    daemon = stage.watch(
        simulator, TRIGGERDEV_EXPORTER_LOG_LEVEL="debug", TRIGGERDEV_EXPORTER_LOG_FORMAT="json", PYTHONASYNCIODEBUG="1"
    )
    wait_until(daemon.is_ready, "it is ready", daemon)
    simulator.end(signal.SIGKILL)
    assert daemon.end() == 0
    assert all(isinstance(json.loads(line), dict) for line in daemon.stderr.splitlines())
    assert KEY.removeprefix("tr_prod_") not in daemon.stderr
    # Closed before it was opened, or never awaited: Python would say so here.
    assert "Warning" not in daemon.stderr


def test_an_api_that_comes_up_later(stage: Stage, free_port: int) -> None:
    address = f"127.0.0.1:{free_port}"
    daemon = stage.run("--config", str(stage.config(f"http://{address}")))
    assert ask(f"{daemon.url}/-/healthy").status == 200
    wait_until(lambda: have_failed(daemon, "unreachable") == COLLECTORS, "every collector says why", daemon)
    assert daemon.value("up") == 0
    assert daemon.birth() == 0, "without the server's time there is no birth"
    assert daemon.total("runs_finished_total") == 0
    wait_until(daemon.is_ready, "a target that is not there holds nobody up", daemon)
    assert failures(daemon) == Counter(COLLECTORS), "once each, however often it failed"

    simulator = stage.simulate("--speed", "20", "--history", "10m", listen=address)
    wait_until(lambda: daemon.value("up") == 1, "it recovers", daemon, simulator)
    wait_until(lambda: daemon.total("collector_up") == len(COLLECTORS), "all of it", daemon, simulator)
    wait_until(lambda: daemon.total("runs_finished_total") > 10, "runs are counted", daemon, simulator)
    stop_the_clock_and_compare(simulator, daemon)
    assert Counter(line["collector"] for line in daemon.events("works again")) == Counter(COLLECTORS)
    assert daemon.end() == 0


def test_an_api_that_goes_away_and_comes_back(stage: Stage) -> None:
    simulator = stage.simulate("--speed", "20", "--history", "10m")
    daemon = stage.run("--config", str(stage.config(simulator)))
    wait_until(lambda: daemon.total("runs_finished_total") > 10, "runs are counted", daemon, simulator)
    simulator.faults(api_down="reset")
    wait_until(lambda: daemon.value("up") == 0, "it is noticed", daemon)
    # With no batch to follow nobody is asked for batches.
    wait_until(lambda: have_failed(daemon, "unreachable") >= COLLECTORS - {"batches"}, "by all", daemon)
    counted = daemon.total("runs_finished_total")
    assert counted > 10, "counters stay on the page"
    # After three intervals, a second each, nobody can vouch for what is waiting or open.
    gauges = {"triggerdev_queue_depth", "triggerdev_runs_open", "triggerdev_schedules"}
    wait_until(lambda: not gauges & {name for name, _ in daemon.page()}, "old gauges vanish", daemon)
    assert daemon.total("runs_finished_total") == counted

    simulator.faults(clear=True)
    wait_until(lambda: gauges <= {name for name, _ in daemon.page()}, "they are back", daemon)
    # What ended meanwhile is made up for.
    stop_the_clock_and_compare(simulator, daemon)
    assert daemon.total("runs_finished_total") > counted
    assert daemon.end() == 0


def test_sigterm_while_requests_hang(stage: Stage) -> None:
    simulator = stage.simulate("--history", "1m")
    simulator.faults(endpoints={"runs": {"latency_s": 600.0}})
    daemon = stage.watch(simulator)
    wait_until(lambda: simulator.counts().get("runs"), "a request hangs", daemon, simulator)
    assert daemon.value("up") == 1
    assert daemon.end(signal.SIGTERM, within=20) == 0
    assert "Traceback" not in daemon.stderr
    assert "Warning" not in daemon.stderr


def test_sigterm_while_a_lookback_is_read(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "busy", "--history", "30m")
    daemon = stage.watch(simulator)
    wait_until(lambda: simulator.counts().get("runs", 0) > 5, "the look-back is being read", daemon, simulator)
    assert ask(f"{daemon.url}/-/ready").status == 503
    assert daemon.end(signal.SIGTERM, within=20) == 0
    assert "Traceback" not in daemon.stderr


def test_a_second_signal_ends_it_at_once(stage: Stage) -> None:
    simulator = stage.simulate("--history", "1m")
    simulator.faults(endpoints={"runs": {"latency_s": 600.0}})
    daemon = stage.watch(simulator)
    wait_until(lambda: simulator.counts().get("runs"), "a request hangs", daemon, simulator)
    # Two kinds, since two of one kind may become one, and with nothing between: what hangs is given two seconds only.
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.end(signal.SIGTERM) == 130
