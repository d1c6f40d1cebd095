"""`rules route` and `rules preview`: who would get an alert, and what. Nothing here needs a key or a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.cli import cli
from triggerdev_exporter.commands.rule_route import completed, explained

NOON = 1_763_985_750_000  # Monday, 2025-11-24 12:02:30 UTC
NIGHT = NOON + 10 * 3_600_000

RULES = """\
receivers:
  ops: {slack: {url_env: HOOK}}
  night: {webhook: {url_env: HOOK}}
  pager: {pagerduty: {routing_key_env: KEY}}
  cluster: {alertmanager: {url: "http://am:9093"}}
  mail: {email: {server: "smtp.example.com:587", from: a@example.com, to: b@example.com}}
owners: {"send-*": mailers}
time_intervals:
  nights: [{times: "22:00-06:00"}]
  office: [{weekdays: [mon-fri], times: "09:00-17:00"}]
inhibit:
  - {source: {alertname: SourceDown}, target: {alertname: "!SourceDown"}, equal: [target]}
routes:
  receiver: ops
  children:
    - {match: {severity: critical}, receiver: pager, continue: true, mute: [nights]}
    - match: {task: "send-*"}
      receiver: night
      active: [office]
      children: [{match: {owner: mailers}, receiver: mail, send_resolved: false}]
    - {match: {severity: info}, receiver: cluster}
groups:
  - name: g
    rules:
      - {alert: Paused, when: {queue_paused: }, for: 2m, severity: critical}
      - {alert: Failing, when: {failure_rate: {window: 15m, above: 10%}}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIGGERDEV_EXPORTER_CONFIG", raising=False)
    (tmp_path / "rules.yml").write_text(RULES, "utf-8")
    return tmp_path


def do(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["rules", *arguments, "rules.yml"])


def ruleset(text: str = RULES) -> RuleSet:
    return read_rules([RuleFile("rules.yml", text)]).ruleset


def told(now: int, text: str = RULES, **labels: str) -> str:
    rules = ruleset(text)
    return explained(rules, completed(rules, labels), now)


def test_who_hears_of_a_receiver_that_fails() -> None:
    shown = told(NOON, RULES + "fallback: mail\n", alertname="NotifierFailing", receiver="ops")
    assert "ops is not told: the alert is about it\n\nmail is told, as the fallback\n" in shown


def test_who_gets_it_and_why() -> None:
    assert told(NOON, alertname="Paused", task="send-mail", target="prod") == (
        "An alert with alertname=Paused owner=mailers severity=critical target=prod task=send-mail:\n"
        "\n"
        "route 0          everything         passed on  a route below it matches\n"
        "  route 0/0      severity=critical  chosen     sent to pager\n"
        "  route 0/1      task=~send-*       passed on  a route below it matches\n"
        "    route 0/1/0  owner=mailers      chosen     sent to mail\n"
        "  route 0/2      severity=info      skipped    route 0/1 took it, without continue\n"
        "\n"
        "pager is told, by route 0/0\n"
        "  matched:  severity=critical\n"
        '  grouped:  alertname, target, so in pager/0/0{alertname="Paused",target="prod"}\n'
        "  told:     after 30s; changes of the group every 5m, again every 4h\n"
        "  mutes:    not now (2025-11-24 12:02 UTC); it is muted in nights\n"
        "\n"
        "mail is told, by route 0/1/0\n"
        "  matched:  task=~send-* owner=mailers\n"
        '  grouped:  alertname, target, so in mail/0/1/0{alertname="Paused",target="prod"}\n'
        "  told:     after 30s; changes of the group every 5m, again every 4h; its end is not told\n"
        "  mutes:    none\n"
        "\n"
        "It is withheld while another alert fires with\n"
        "  alertname=SourceDown target=prod"
    )


def test_what_is_muted_now_is_said() -> None:
    assert "mutes:    nights mutes it now (2025-11-24 22:02 UTC)" in told(NIGHT, severity="critical")
    night = told(NIGHT, task="send-mail", owner="others")
    assert "mutes:    it is only sent in office, which is not now (2025-11-24 22:02 UTC)" in night
    assert "it is muted in all but office" in told(NOON, task="send-mail", owner="others")


def test_what_the_rule_gives_is_overruled_by_what_is_written() -> None:
    assert "severity=info" in told(NOON, alertname="Paused", severity="info").splitlines()[0]


def test_refusals_say_what_did_not_fit() -> None:
    assert 'refused  severity is "warning", it must match "critical"' in told(NOON, severity="warning")


def test_who_holds_state_does_the_rest_by_itself() -> None:
    assert told(NOON, severity="info").split("\n\n")[2] == (
        "cluster is told, by route 0/2\n"
        "  matched:  severity=info\n"
        "  told:     at once, and again while it fires; it groups, mutes, silences and inhibits by itself"
    )


def test_no_inhibition() -> None:
    assert told(NOON, alertname="SourceDown").endswith("\n\nNo inhibition can withhold it.")


def test_without_routes_nobody_is_told() -> None:
    assert told(NOON, "groups: []", task="x") == (
        "An alert with task=x:\n\nThere are no routes: it shows on pages and metrics, and nobody is told."
    )


def test_route_as_it_is_typed() -> None:
    done = do("route", "--labels", "alert=Paused,env=prod", "--labels", "task=a,b")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("An alert with alertname=Paused severity=critical target=prod task=a,b:\n")


def test_labels_that_cannot_be_read() -> None:
    done = do("route", "--labels", "critical")
    assert done.exit_code == 2
    assert '"critical" is not a label; write them like severity=critical,task=send-email' in done.stderr


def test_the_payload_of_slack() -> None:
    done = do("preview", "--alert", "Failing", "--receiver", "ops")
    assert (done.exit_code, done.stderr) == (0, "")
    message = json.loads(done.stdout)
    assert message["blocks"][0]["text"]["text"] == "[FIRING, warning] Failing in shop-prod"


def test_the_same_as_text() -> None:
    done = do("preview", "--alert", "Failing", "--receiver", "ops", "--format", "text")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "[FIRING, warning] Failing in shop-prod"
    assert lines[2] == "- send-email in shop-prod: 42.1% of 57 runs failed in 15m (above 10%)"
    assert lines[-3] == (
        "silence: triggerdev-exporter silence add alertname=Failing target=shop-prod task=send-email --for 2h"
    )


@pytest.mark.parametrize("receiver", ["ops", "night", "pager", "cluster", "mail"])
@pytest.mark.parametrize("state", ["firing", "resolved"])
def test_every_receiver_can_be_looked_at(receiver: str, state: str) -> None:
    done = do("preview", "--alert", "Failing", "--receiver", receiver, "--state", state)
    assert done.exit_code == 0, done.output
    body = json.dumps(json.loads(done.stdout))
    if receiver != "pager" or state == "firing":  # a resolved incident is only a key
        assert "Failing" in body


def test_what_is_asserted_at_alertmanager(folder: Path) -> None:
    am = "receivers:\n  am: {alertmanager: {url: http://am:9093, external_url: http://pages}}\n"
    (folder / "rules.yml").write_text(RULES.replace("receivers:\n", am, 1), "utf-8")
    done = do("preview", "--alert", "Failing", "--receiver", "am")
    (told,) = json.loads(done.stdout)
    assert told["labels"]["alertname"] == "Failing"
    assert told["annotations"]["says"] == "42.1% of 57 runs failed in 15m (above 10%)"
    assert told["startsAt"] < told["endsAt"]
    assert told["generatorURL"] == "http://pages"


def test_an_end_that_is_not_told_is_said() -> None:
    done = do("preview", "--alert", "Failing", "--receiver", "mail", "--state", "resolved")
    assert done.stderr == "mail is not told of this: send_resolved is off on route 0/1/0\n"


@pytest.mark.parametrize(
    ("alert", "receiver", "said"),
    [
        ("Failin", "ops", 'no alert is named "Failin"; did you mean "Failing"?'),
        ("Failing", "opz", 'no receiver is named "opz"; there are ops, night, pager, cluster, mail'),
    ],
)
def test_names_that_are_not_there(alert: str, receiver: str, said: str) -> None:
    done = do("preview", "--alert", alert, "--receiver", receiver)
    assert done.exit_code == 2
    assert said in done.stderr
