"""What a file of rules means: the example in detail, defaults, several files, shipped rules, files on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.receivers import pagerduty, slack, webhook
from triggerdev_alerts.rules.files import gather_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_alerts.rules.model import (
    Backoff,
    EvidenceWish,
    Flapping,
    Inhibition,
    Matcher,
    OnNoData,
    Place,
    Rule,
    TimeRange,
)
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import Where

HERE = Path(__file__).parent
PAUSED = "groups: [{name: g, rules: [{alert: A, when: {queue_paused: }}]}]"


def load(*texts: str, shipped: str = "", disable: tuple[str, ...] = ()) -> LoadedRules:
    files = [RuleFile(f"rules-{n}.yml", text) for n, text in enumerate(texts, 1)]
    return read_rules([*files, *([RuleFile("shipped.yml", shipped, shipped=True)] if shipped else [])], disable=disable)


def told(*texts: str, shipped: str = "", disable: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(RulesError) as raised:
        load(*texts, shipped=shipped, disable=disable)
    return [mistake.split("\n")[0] for mistake in raised.value.mistakes]


def rule_with(when: str, more: str = "", defaults: str = "{}") -> Rule:
    text = f"defaults: {defaults}\ngroups: [{{name: g, rules: [{{alert: A, when: {when}{more}}}]}}]"
    return load(text).ruleset.rules[0]


@pytest.fixture(scope="module")
def example() -> LoadedRules:
    return read_rules([RuleFile("etc/rules.yml", (HERE / "example.yml").read_text("utf-8"))])


def test_the_first_rule_of_the_example(example: LoadedRules) -> None:
    rule = example.ruleset.rules[0]
    assert rule == Rule(
        name="TaskFailureRateHigh",
        group="reliability",
        when=rule.when,
        for_=2 * MINUTE,
        keep_firing_for=5 * MINUTE,
        severity="warning",
        annotations={
            "summary": "{{ task }} failing: {{ value | percent }} of {{ sample }} runs",
            "runbook": "https://wiki.example/{{ task | urlencode }}",
        },
        hold_insufficient_for=15 * MINUTE,
        evidence=EvidenceWish(3, 5, "message"),
        place=Place("etc/rules.yml", 44),
    )
    assert rule.when == Condition(
        "failure_rate",
        ("task",),
        values={
            "window": 15 * MINUTE,
            "above": 0.1,
            "clear_below": 0.05,
            "min_sample": 20,
            "status": ("FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT"),
            "vs_previous": None,
        },
    )


def test_the_other_rules_of_the_example(example: LoadedRules) -> None:
    said = {rule.name: (rule.when.type, rule.for_, rule.severity) for rule in example.ruleset.rules[1:]}
    assert said == {
        "QueueBacklog": ("queue_depth", 10 * MINUTE, "warning"),
        "RunStuck": ("stuck_runs", 2 * MINUTE, "warning"),
        "BatchFailed": ("batch_failures", 0, "warning"),
        "ScheduleMissed": ("missed_schedule", 2 * MINUTE, "warning"),
        "DeployFailed": ("deployment_failed", 2 * MINUTE, "critical"),
        "SpendHigh": ("cost", 2 * MINUTE, "warning"),
    }
    deploy, spend = example.ruleset.rules[-2:]
    assert deploy.when.targets == ("shop-prod",)
    assert (spend.when.by, spend.when.values["window"], spend.when.values["above"]) == ((), DAY, 50.0)


def test_the_routes_of_the_example(example: LoadedRules) -> None:
    root = example.ruleset.routes
    assert root is not None
    assert (root.receiver, root.path, root.match) == ("ops-slack", "0", ())
    pager, hook = root.children
    assert (pager.receiver, pager.path, pager.continue_) == ("pager", "0/0", True)
    assert pager.match == (Matcher("severity", ("critical",)),)
    assert (hook.receiver, hook.path, hook.continue_, hook.mute) == ("payments-hook", "0/1", False, ("nights",))
    for route in (root, pager, hook):
        assert route.group_by == ("alertname", "target", "owner")
        assert (route.group_wait, route.group_interval, route.repeat_interval) == (30 * SECOND, 5 * MINUTE, 4 * HOUR)


def test_the_rest_of_the_example(example: LoadedRules) -> None:
    ruleset = example.ruleset
    assert ruleset.owners == (("billing-*", "payments"), ("*", "platform"))
    assert ruleset.time_intervals == {"nights": (TimeRange(((22 * 60, 6 * 60),), location="Europe/Berlin"),)}
    assert ruleset.inhibitions == (
        Inhibition(
            (Matcher("alertname", ("SourceUnreachable",)),), (Matcher("severity", ("warning", "info")),), ("target",)
        ),
    )
    settings = {name: receiver.settings for name, receiver in ruleset.receivers.items()}
    ops, hook, pager = settings["ops-slack"], settings["payments-hook"], settings["pager"]
    assert isinstance(ops, slack.Settings)
    assert isinstance(hook, webhook.Settings)
    assert isinstance(pager, pagerduty.Settings)
    # Files of secrets lie beside the file that names them.
    assert (ops.bot_token_file, hook.url_file, pager.routing_key_env) == (
        "etc/slack-token",
        "etc/hook-url",
        "PD_ROUTING_KEY",
    )
    (case,) = example.cases
    assert (case.test.name, case.place.line, case.expected[0].line) == ("small samples never fire", 66, 68)


def test_the_only_warning_of_the_example_is_about_a_shipped_rule(example: LoadedRules) -> None:
    assert [warning.code for warning in example.warnings] == ["inhibit"]
    text = (HERE / "example.yml").read_text("utf-8")
    down = "groups: [{name: source, rules: [{alert: SourceUnreachable, when: {source_down: }}]}]"
    assert load(text, shipped=down).warnings == ()


def test_a_rule_that_says_nothing_has_the_defaults_of_the_records() -> None:
    rule = rule_with("{queue_paused: }")
    assert rule == Rule("A", "g", rule.when, place=rule.place)


def test_defaults_fill_in_what_a_rule_does_not_say() -> None:
    defaults = (
        "{for: 3m, severity: info, on_no_data: ok, missing_after: 5, hold_insufficient_for: 1m, max_series: 7, "
        "min_sample: 50, flapping: {changes: 9}, evidence: {errors: name, top_errors: 1}}"
    )
    rate = "{failure_rate: {window: 15m, above: 10%}}"
    rule = rule_with(rate, ", evidence: {top_errors: 2}, flapping: {stable: 5m}", defaults)
    assert (rule.for_, rule.severity, rule.on_no_data) == (3 * MINUTE, "info", OnNoData.OK)
    assert (rule.missing_after, rule.hold_insufficient_for, rule.max_series) == (5, MINUTE, 7)
    assert rule.when.values["min_sample"] == 50
    assert rule.flapping == Flapping(9, HOUR, 5 * MINUTE)
    assert rule.evidence == EvidenceWish(2, 5, "name")
    own = rule_with(
        "{failure_rate: {window: 15m, above: 10%, min_sample: 3}}", ", for: 0s, severity: critical", defaults
    )
    assert (own.for_, own.severity, own.when.values["min_sample"]) == (0, "critical", 3)


def test_flapping_can_be_off_and_on_again() -> None:
    assert rule_with("{queue_paused: }", ", flapping: {enabled: false}").flapping is None
    assert rule_with("{queue_paused: }", "", "{flapping: {enabled: false}}").flapping is None
    assert rule_with("{queue_paused: }", ", flapping: {enabled: true}", "{flapping: {enabled: false}}").flapping


def test_groups_have_an_interval_an_alignment_and_a_delay() -> None:
    text = """
defaults: {interval: 2m, query_delay: 10s}
groups:
  - {name: a, rules: [{alert: A, when: {queue_paused: }}]}
  - {name: b, interval: 30s, align: exact, query_delay: 0s, rules: [{alert: B, when: {queue_paused: }}]}
"""
    a, b = load(text).ruleset.groups
    assert (a.interval, a.exact, a.query_delay) == (2 * MINUTE, False, 10 * SECOND)
    assert (b.interval, b.exact, b.query_delay) == (30 * SECOND, True, 0)


def test_conditions_are_narrowed_and_split() -> None:
    said = "{by: [target, queue, task], target: prod-*, task: [a, b], queue: q, tag: t, version: v, include_test: true"
    when = rule_with(f"{{failure_count: {said}, window: 5m, above: 1}}}}").when
    assert when.by == ("queue", "task")
    assert when.targets == ("prod-*",)
    assert when.where == Where(("a", "b"), ("q",), ("v",), ("t",), include_test=True)


def test_labels_may_be_called_by_their_aliases() -> None:
    text = """
receivers: {a: {webhook: {url_env: HOOK}}}
routes: {receiver: a, group_by: [alert, env], children: [{match: {env: "!dev-*", alert: [X, Y]}}]}
inhibit: [{source: {alert: X}, target: {env: a}, equal: [env]}]
"""
    ruleset = load(text).ruleset
    assert ruleset.routes is not None
    assert ruleset.routes.group_by == ("alertname", "target")
    assert ruleset.routes.children[0].match == (
        Matcher("target", ("dev-*",), negative=True),
        Matcher("alertname", ("X", "Y")),
    )
    assert ruleset.inhibitions[0].equal == ("target",)


def test_routes_hand_down_everything_but_whom_they_match_and_when_they_are_mute() -> None:
    text = """
time_intervals: {n: [{weekdays: sun}], o: [{times: "09:00-17:00"}]}
receivers: {a: {webhook: {url_env: HOOK}}}
routes:
  receiver: a
  group_by: []
  group_wait: 0s
  group_interval: 1m
  repeat_interval: 1h
  repeat_backoff: 2 max 8h
  mute: n
  active: [o]
  send_resolved: false
  send_resolved_when_muted: false
  startup: each
  children: [{match: {task: a}, children: [{match: {task: "a*"}, group_wait: 5s}]}]
"""
    root = load(text).ruleset.routes
    assert root is not None
    (child,) = root.children
    (leaf,) = child.children
    assert (root.mute, root.active, child.mute, child.active) == (("n",), ("o",), (), ())
    for route in (child, leaf):
        assert (route.receiver, route.group_by, route.group_interval) == ("a", (), MINUTE)
        assert route.repeat_backoff == Backoff(2.0, 8 * HOUR)
        assert (route.send_resolved, route.send_resolved_when_muted, route.startup_summarize) == (False, False, False)
    assert (child.group_wait, leaf.group_wait, leaf.path) == (0, 5 * SECOND, "0/0/0")


def test_a_time_interval_can_say_everything() -> None:
    text = """
time_intervals:
  t:
    - {times: ["22:00-06:00", "12:00-24:00"], weekdays: [fri-mon, wednesday], days_of_month: [1, "-3:-1"],
       months: [12, jan-mar], years: [2026, "2027:2030"], location: America/New_York}
"""
    (only,) = load(text).ruleset.time_intervals["t"]
    assert only == TimeRange(
        times=((1320, 360), (720, 1440)),
        weekdays=(0, 2, 4, 5, 6),
        days_of_month=((1, 1), (-3, -1)),
        months=(1, 2, 3, 12),
        years=((2026, 2026), (2027, 2030)),
        location="America/New_York",
    )


def test_the_dead_mans_switch() -> None:
    ping = load("ping: {url_file: ping-url, allow_private: true}").ruleset.ping
    assert ping is not None
    assert isinstance(ping.settings, webhook.Settings)
    assert (ping.settings.url_file, ping.settings.allow_private, ping.interval) == ("ping-url", True, MINUTE)


def test_files_unite_and_defaults_stay_in_their_own() -> None:
    first = "defaults: {for: 5m}\nowners: {a: x}\ngroups: [{name: g, rules: [{alert: A, when: {queue_paused: }}]}]"
    second = "owners: {b: y}\ngroups: [{name: h, rules: [{alert: B, when: {queue_paused: }}]}]"
    ruleset = load(first, second).ruleset
    assert [(rule.id, rule.for_, rule.place.file) for rule in ruleset.rules] == [
        ("g/A", 5 * MINUTE, "rules-1.yml"),
        ("h/B", 0, "rules-2.yml"),
    ]
    assert ruleset.owners == (("a", "x"), ("b", "y"))


def test_a_reference_reaches_into_another_file() -> None:
    first = "receivers: {ops: {webhook: {url_env: HOOK}}}\ntime_intervals: {nights: [{times: '22:00-06:00'}]}"
    second = "routes: {receiver: ops, mute: nights}"
    assert load(second, first).ruleset.routes is not None
    assert told("routes: {receiver: opps}", first) == [
        'rules-1.yml:1:20: error[ref]: no receiver "opps"; did you mean "ops"? (defined at rules-2.yml:1:13)'
    ]


def test_the_same_name_in_two_files_is_a_mistake() -> None:
    text = (
        "receivers: {ops: {webhook: {url_env: HOOK}}}\ntime_intervals: {n: [{weekdays: sun}]}\n"
        "routes: {receiver: ops, mute: n}\nfallback: ops\nflood_ceiling: 9\n" + PAUSED
    )
    once = "can stand in one file only, and is already defined at"
    assert told(text, text) == [
        'rules-2.yml:1:13: error[duplicate]: "ops" already defined at rules-1.yml:1:13',
        'rules-2.yml:2:18: error[duplicate]: "n" already defined at rules-1.yml:2:18',
        f"rules-2.yml:3:1: error[duplicate]: routes {once} rules-1.yml:3:1",
        f"rules-2.yml:4:1: error[duplicate]: fallback {once} rules-1.yml:4:1",
        f"rules-2.yml:5:1: error[duplicate]: flood_ceiling {once} rules-1.yml:5:1",
        'rules-2.yml:6:17: error[duplicate]: "g" already defined at rules-1.yml:6:17',
        'rules-2.yml:6:36: error[duplicate]: "A" already defined at rules-1.yml:6:36',
    ]


SHIPPED = "groups: [{name: shipped, rules: [{alert: A, when: {queue_stalled: }}, {alert: B, when: {queue_stalled: }}]}]"


def test_an_own_rule_replaces_the_shipped_one_of_its_name() -> None:
    rules = load(PAUSED, shipped=SHIPPED).ruleset.rules
    assert [(rule.id, rule.when.type, rule.shipped) for rule in rules] == [
        ("shipped/B", "queue_stalled", True),
        ("g/A", "queue_paused", False),
    ]


def test_a_shipped_inhibition_that_is_left_without_its_rule_is_not_warned_of() -> None:
    shipped = SHIPPED + "\ninhibit: [{source: {alertname: B}, target: {alertname: A, severity: warning}}]"
    assert load(PAUSED.replace("alert: A,", "alert: A, severity: critical,"), shipped=shipped).warnings == ()


def test_a_group_of_an_own_file_cannot_have_the_name_of_a_shipped_one() -> None:
    assert told(PAUSED.replace("name: g", "name: shipped"), shipped=SHIPPED) == [
        'rules-1.yml:1:17: error[duplicate]: "shipped" is the name of a shipped one'
    ]


def test_a_rule_that_is_disabled_stays_and_is_off() -> None:
    rules = load(PAUSED, shipped=SHIPPED, disable=("B",)).ruleset.rules
    assert {rule.name: rule.enabled for rule in rules} == {"A": True, "B": False}
    assert told(PAUSED, disable=("AB",)) == ['alerts.disable: error[ref]: no rule "AB" to disable']


def test_a_shipped_rule_of_which_disable_is_nearly_the_name() -> None:
    shipped = SHIPPED.replace("alert: B", "alert: QueueBacklog")
    (mistake,) = told(shipped=shipped, disable=("QueueBaklog",))
    assert mistake.endswith('no rule "QueueBaklog" to disable; did you mean "QueueBacklog"?')


def test_patterns_mean_files(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    for name in ("b.yml", "a.yml", "c.txt"):
        (tmp_path / "rules" / name).write_text("version: 1", "utf-8")
    gathered = gather_rules(
        ["rules/*.yml", "rules/a.yml", "none.yml", "no/*.yml"], base=tmp_path, named_in="config.yml"
    )
    assert [Path(file.name).name for file in gathered.files] == ["a.yml", "b.yml"]
    assert [render(mistake).replace(str(tmp_path), "") for mistake in gathered.mistakes] == [
        "/none.yml: error[file]: the file of rules cannot be read: no such file or directory",
        "config.yml: error[file]: no file matches no/*.yml",
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (mistake,) = gather_rules([str(tmp_path)]).mistakes
    assert mistake.text == "the file of rules cannot be read: is a directory"


def test_mistakes_of_files_are_told_with_the_others() -> None:
    gathered = gather_rules(["no/*.yml"])
    with pytest.raises(RulesError) as raised:
        read_rules([RuleFile("a.yml", "group: 1")], besides=gathered.mistakes)
    assert [mistake.code for mistake in raised.value.found] == ["file", "unknown-key"]
