"""Judgements of `doctor` that no simulated server leads to: tables of what was seen, and what is said of it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from triggerdev_alerts.outbox.store import BOOK_FILE
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND
from triggerdev_exporter.config.access import Access
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.model import Intervals, Metrics, Target, Tasks
from triggerdev_exporter.doctor.checks_host import HOST_CHECKS, NETWORKED, Host
from triggerdev_exporter.doctor.checks_target import TARGET_CHECKS
from triggerdev_exporter.doctor.cost import Load, calls_a_minute
from triggerdev_exporter.doctor.examine import Examined, Some
from triggerdev_exporter.doctor.finding import Finding, Result, Verdict, broken, ok, unknown, warning
from triggerdev_exporter.doctor.premises import Premises, filesystem_of, holder_of, look
from triggerdev_exporter.doctor.report import as_json, as_text
from triggerdev_exporter.doctor.subject import Subject
from triggerdev_exporter.ledger.lock import StateLock
from triggerdev_exporter.ledger.store import STATE_FILE, open_store
from triggerdev_exporter.records import Enrichment, Queue, Run
from triggerdev_exporter.statuses import RunStatus
from virtual_clock import START

RULES = """\
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops}
groups:
  - name: g
    rules:
      - {alert: Emails, when: {failure_rate: {window: 15m, above: 10%, task: "send-emial"}}}
      - {alert: Elsewhere, when: {queue_paused: {target: prdo}}}
"""


def run(number: int, *, age: int, status: RunStatus = RunStatus.EXECUTING, **more: Any) -> Run:
    base: dict[str, Any] = {"id": f"run_{number}", "task": "send-email", "status": status, "created_at": START - age}
    return Run(**{**base, **more})


def queue(**more: Any) -> Queue:
    base: dict[str, Any] = {"name": "task/send-email", "type": "task", "task": "send-email", "queued": 0, "running": 0}
    return Queue(**{**base, "paused": False, "concurrency_limit": None, **more})


def subject(ruleset: RuleSet | None = None, counted: str | None = None, **told: Any) -> Subject:
    """A target of which these were told."""
    config = Target(name="prod", secret_key=SecretStr("tr_prod_x"))
    base: dict[str, Any] = {
        "runs": Some((), True),
        "open_runs": Some((), True),
        "queues": Some((), True),
        "schedules": Some((), True),
        "deployments": Some((), True),
        "spoken": "trigger",
    }
    seen = Examined(config=config, now=START, **{**base, **told})
    return Subject(seen, ruleset or RuleSet(), Metrics(), counted)


def judged(name: str, seen: Subject) -> Finding:
    return next(check for check in TARGET_CHECKS if check.name == name).judge(seen)


# ── targets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def row(number: int) -> Enrichment:
    return Enrichment(run_id=f"run_{number}")


TRQL = (
    ((run(1, age=3 * HOUR),), (row(1),), Verdict.OK, "at least 3 h"),
    ((), (), Verdict.OK, "no open run is old enough to tell"),
    ((run(1, age=3 * HOUR), run(2, age=2 * DAY)), (row(1),), Verdict.WARNING, "3 h only: of 1 older open run queue"),
    # A row may be late: nothing follows from a run that has just begun.
    ((run(1, age=3 * HOUR), run(2, age=MINUTE)), (row(1),), Verdict.OK, "at least 3 h"),
    # One in the middle that is missing is no horizon.
    ((run(1, age=3 * HOUR), run(2, age=2 * HOUR)), (row(1),), Verdict.OK, "at least 3 h"),
    # Beyond what we ask for.
    ((run(1, age=3 * HOUR), run(2, age=9 * DAY)), (row(1),), Verdict.OK, "at least 3 h"),
    ((), tuple(row(n) for n in range(10_000)), Verdict.WARNING, "10,000 rows"),
)


@pytest.mark.parametrize(("open_runs", "rows", "verdict", "words"), TRQL)
def test_how_far_trql_looks_back(open_runs: Any, rows: Any, verdict: Verdict, words: str) -> None:
    found = judged("trql", subject(open_runs=Some(open_runs, True), rows=rows))
    assert found.verdict is verdict
    assert words in found.says


VIEWS = (
    # Queues that hold work, and a list that shows none.
    ((), (), (queue(running=3),), Verdict.BROKEN, "queues hold 3 runs"),
    ((), (), (queue(queued=3, paused=True),), Verdict.OK, "no sign of a lag"),
    ((), (), (), Verdict.OK, "no sign of a lag"),
    ((run(1, age=0),), (run(1, age=0),), (queue(running=1),), Verdict.OK, "agree"),
    # A run each second, and then none for ten minutes.
    (tuple(run(n, age=10 * MINUTE + n * SECOND) for n in range(50)), (), (), Verdict.WARNING, "may be behind"),
    # Few runs say nothing.
    (tuple(run(n, age=10 * MINUTE + n * SECOND) for n in range(5)), (), (), Verdict.OK, "no sign"),
)


@pytest.mark.parametrize(("runs", "open_runs", "queues", "verdict", "words"), VIEWS)
def test_whether_the_view_lags(runs: Any, open_runs: Any, queues: Any, verdict: Verdict, words: str) -> None:
    seen = subject(runs=Some(runs, True), open_runs=Some(open_runs, True), queues=Some(queues, True))
    found = judged("view", seen)
    assert found.verdict is verdict
    assert words in found.says


def test_a_key_of_another_environment_than_the_state_counts() -> None:
    runs = Some((run(1, age=0, environment_id="env_new", environment="prod"),), True)
    assert judged("key", subject(counted="env_new", runs=runs)).verdict is Verdict.OK
    found = judged("key", subject(counted="env_old", runs=runs))
    assert (found.verdict, "env_old" in found.says) == (Verdict.BROKEN, True)


def test_a_quota_that_is_nearly_used_up() -> None:
    assert judged("quota", subject(limit=750, remaining=75)).verdict is Verdict.OK
    assert judged("quota", subject(limit=750, remaining=74)).verdict is Verdict.WARNING


def test_more_tasks_than_series_say_how_many_there_is_room_for() -> None:
    seen = subject(tasks=tuple(f"task-{n}" for n in range(600)))
    found = judged("series", seen)
    assert found.says == "600 tasks, and max_series: 50000 has room for 514: the rest is shown as __other__"
    assert found.remedy == "raise metrics.max_series to 71000, or narrow metrics.tasks.allow"
    assert judged("series", replace(seen, metrics=Metrics(max_series=71_000))).verdict is Verdict.OK
    assert judged("series", replace(seen, metrics=Metrics(tasks=Tasks(allow=("task-1.*",))))).verdict is Verdict.OK


def test_a_rule_whose_task_is_not_there() -> None:
    ruleset = read_rules([RuleFile("rules.yml", RULES)]).ruleset
    found = judged("rules", subject(ruleset, tasks=("send-email", "charge-card")))
    assert found.verdict is Verdict.WARNING
    assert found.says == (
        'Emails (rules.yml:6) can never be true here: there is no task like "send-emial"; did you mean "send-email"?'
    )
    # Where no deployment tells the tasks, one that has not run yet may still come.
    assert judged("rules", subject(ruleset)).verdict is Verdict.OK


def test_what_intervals_cost() -> None:
    idle = calls_a_minute(Intervals(), Load(queues=50, schedules=50))
    assert sum(idle.values()) == pytest.approx(4.8)
    busy = calls_a_minute(Intervals(runs=SECOND), Load(queues=250, open_runs=950, runs_a_minute=600))
    assert busy["runs"] == pytest.approx(60 * 11 + 7.5 + 36 + 1)
    assert busy["queues"] == 6


# ── the host ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def host(**more: Any) -> Host:
    ruleset = more.pop("ruleset", RuleSet())
    book = more.pop("book", Premises(Path("/s/state-alerts.db"), False))
    warnings, targets = more.pop("warnings", ()), more.pop("targets", ("prod",))
    listen, access = more.pop("listen", Listen("10.0.0.5", 9925)), more.pop("access", Access())
    odd = more.pop("odd", ())
    base: dict[str, Any] = {"path": Path("/s/state.db"), "exists": False, "free": 1 << 40, "filesystem": "ext4"}
    return Host(Premises(**{**base, **more}), book, ruleset, warnings, targets, listen, access, odd)


HOSTS = (
    ("config", host(targets=("a", "b")), Verdict.OK, "it watches a, b"),
    ("config", host(odd=("X: warning[unused]: has no effect\n  ^",)), Verdict.WARNING, "X: [unused]: has no effect"),
    ("disk", host(), Verdict.OK, "a file system of this host (ext4), 1024.0 GiB free"),
    ("disk", host(filesystem="nfs4"), Verdict.BROKEN, "a network file system (nfs4)"),
    ("disk", host(filesystem="tmpfs"), Verdict.WARNING, "the state is in memory"),
    ("disk", host(free=100 << 20), Verdict.WARNING, "100.0 MiB are free"),
    ("disk", host(free=1 << 20), Verdict.BROKEN, "nothing can be written down"),
    ("disk", host(free=None), Verdict.UNKNOWN, ""),
    ("state", host(), Verdict.OK, "will be made at the first start"),
    ("state", host(problem="it is damaged"), Verdict.BROKEN, "/s/state.db: it is damaged"),
    ("state", host(exists=True, size=4096, owner="process 7 on pod-1"), Verdict.OK, "in use by process 7 on pod-1"),
    ("alerts", host(), Verdict.OK, "nobody is told"),
    ("access", host(), Verdict.OK, "10.0.0.5:9925 is open to whoever reaches it"),
    ("access", host(access=Access(users={"a": "b"})), Verdict.WARNING, "in the clear"),
    ("access", host(access=Access(users={"a": "b"}), listen=Listen("127.0.0.1", 1)), Verdict.OK, "no TLS, 1 user"),
)


@pytest.mark.parametrize(("check", "seen", "verdict", "words"), HOSTS)
def test_the_host(check: str, seen: Host, verdict: Verdict, words: str) -> None:
    found = next(one for one in HOST_CHECKS if one.name == check).judge(seen)
    assert found.verdict is verdict
    assert words in found.says


def test_a_rule_for_a_target_that_is_not_there_and_what_is_odd() -> None:
    loaded = read_rules([RuleFile("rules.yml", RULES)])
    check = next(one for one in HOST_CHECKS if one.name == "alerts")
    found = check.judge(host(ruleset=loaded.ruleset, warnings=loaded.warnings))
    assert found.says == 'Elsewhere: no target is like "prdo"; did you mean "prod"?'
    text = RULES.replace("target: prdo", "").replace("routes: {receiver: ops}", "")
    odd = read_rules([RuleFile("rules.yml", text)])
    found = check.judge(host(ruleset=odd.ruleset, warnings=odd.warnings))
    assert found.says.startswith("rules.yml:1: there are receivers and no routes")


MOUNTS = """\
overlay / overlay rw 0 0
/dev/sda1 /var ext4 rw 0 0
server:/export /var/lib/shared\\040state nfs4 rw 0 0
tmpfs /var/lib/shared tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/state", "overlay"),
        ("/var/lib/x", "ext4"),
        ("/var", "ext4"),
        ("/var/lib/shared", "tmpfs"),
        ("/var/lib/shared state/a", "nfs4"),
        ("/var/lib/sharedness", "ext4"),
    ],
)
def test_which_file_system_holds_a_path(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind
    assert "nfs4" in NETWORKED


def test_who_holds_a_lock() -> None:
    locks = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 08:01:77 0 EOF\n"
    assert holder_of((8, 1, 77), locks) == 12
    assert holder_of((8, 1, 78), locks) is None


async def test_a_state_that_is_used_and_one_that_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert not look(path, STATE_FILE).exists
    assert os.listdir(tmp_path) == [], "nothing is made by looking"
    with StateLock(path):
        store = open_store(path)
        await store.begin("prod", START)
        seen = look(path, STATE_FILE)
        assert (seen.exists, seen.problem) == (True, "")
        await store.close()
    path.write_bytes(b"no state at all" * 400)
    assert "is damaged" in look(path, STATE_FILE).problem
    assert "is a directory" in look(tmp_path, BOOK_FILE).problem
    assert "not a directory" in look(path / "below" / "state.db", STATE_FILE).problem


# ── how it is told ────────────────────────────────────────────────────────────────────────────────────────────────────

FOUND = [
    Result("state", "", ok("/s/state.db will be made at the first start")),
    Result("api", "prod", broken("https://trigger.example cannot be used, for the host was not found", "see")),
    Result("clock", "prod", warning("this host's clock is 20 s behind the server's", "let NTP set it")),
    Result("runs", "prod", unknown("the API was not reached")),
]


def test_the_table() -> None:
    assert as_text(FOUND, 86) == (
        "\x1b[32m      ok\x1b[0m  state        /s/state.db will be made at the first start\n"
        "\x1b[31m\x1b[1m  broken\x1b[0m  api    prod  https://trigger.example cannot be used, for the host was not\n"
        "                       found\n"
        "                       → see\n"
        "\x1b[33m warning\x1b[0m  clock  prod  this host's clock is 20 s behind the server's\n"
        "                       → let NTP set it\n"
        "\n"
        "4 checks: 1 broken, 1 to look at, 1 not to be made because of these (runs)."
    )
    assert as_text(FOUND[:1], 80).endswith("1 checks, and all is well.")


def test_the_same_as_json() -> None:
    told = json.loads(as_json(FOUND, START))
    assert (told["verdict"], len(told["checks"])) == ("broken", 4)
    assert told["checks"][2] == {
        "check": "clock",
        "about": "prod",
        "verdict": "warning",
        "says": "this host's clock is 20 s behind the server's",
        "remedy": "let NTP set it",
    }
