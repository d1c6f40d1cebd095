"""What is shown beside an alert: failing runs, their errors, the first bad version, what a queue holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evaluation_stage
from story import Daemon, Story, tell
from triggerdev_alerts.conditions.catalogue import shown
from triggerdev_alerts.signals import EVERYTHING, NO_EVIDENCE, ErrorCount, Evidence, RunLink, Wanted, Where
from triggerdev_exporter.api.dialects.run_error import ERROR_CHARACTERS, read_run_error
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.config.model import Quota
from triggerdev_exporter.errors import Unreadable
from triggerdev_exporter.ledger.recent import KEPT_RUNS, KEPT_TASKS, KEPT_VERSIONS, Ended, Recent
from triggerdev_exporter.readings.error_texts import LONGEST, normalised
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.records import RunError
from triggerdev_exporter.simulator.entities import error_of


def wanted(
    condition: str = "failure_rate",
    window: int = 15 * MINUTE,
    texts: str = "message",
    statuses: tuple[str, ...] = (),
    where: Where = EVERYTHING,
    older_than: int = 0,
    **labels: str,
) -> Wanted:
    """What the engine asks for, with the condition's own statuses if none are given."""
    rule = evaluation_stage.condition(condition, **({"status": statuses} if statuses else {}))
    return Wanted(
        condition,
        "prod",
        tuple(sorted(labels.items())),
        window,
        where=where,
        statuses=shown(rule),
        older_than=older_than,
        texts=texts,
    )


def fail(story: Story, task: str = "mail", status: str = "FAILED", **more: object) -> str:
    error = error_of(status, str(more.pop("name", "SmtpError")), str(more.pop("message", "said 502")))
    return story.world.add_run(task=task, status=status, error=error, **more)  # type: ignore[arg-type]  # fields by name


async def seen(story: Story, daemon: Daemon, about: Wanted) -> Evidence:
    witness = LedgerWitness(daemon.targets)
    witness.prepare(about)
    await witness.settled()
    return witness.evidence(about, story.clock.now())


async def test_failing_runs_and_their_errors(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_run(task="mail", status="COMPLETED", version="20261123.1", created_at=story.clock.now() - HOUR)
        await daemon.poll()
        await story.let(daemon, 60, step=30)
        runs = [fail(story, message=f"mailbox {n} of 0x1f{n} is full", version="20261123.2") for n in range(4)]
        crashed = fail(story, status="CRASHED", version="20261123.2")
        other = fail(story, task="other")
        story.clock.advance(90)
        await daemon.poll()
        evidence = await seen(story, daemon, wanted(task="mail"))
        assert evidence.errors == (
            ErrorCount("SmtpError", "mailbox <n> of <hex> is full", 4),
            ErrorCount("TASK_RUN_CRASHED", "trigger.dev internal error (TASK_RUN_CRASHED)", 1),
        )
        assert {link.id for link in evidence.runs} == {*runs, crashed}
        project = story.world.project
        url = f"{story.simulator.url}/projects/v3/{project}/runs/{crashed}"
        assert RunLink(crashed, url, "CRASHED") in evidence.runs
        assert evidence.since_version == "20261123.2"
        everything = await seen(story, daemon, wanted())
        assert other not in {*runs, crashed}
        assert len(everything.runs) == 5
        names = await seen(story, daemon, wanted(texts="name", task="mail"))
        assert names.errors[0] == ErrorCount("SmtpError", "", 4)
        assert (await seen(story, daemon, wanted(texts="off", task="mail"))).errors == ()
        assert await seen(story, daemon, wanted(task="nobody")) == NO_EVIDENCE
        story.clock.advance(15 * 60)
        assert (await seen(story, daemon, wanted(task="mail"))).runs == (), "they are behind the window"


async def test_the_latest_failures_come_first(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        runs = []
        for name in ("run_c", "run_b", "run_a"):
            story.clock.advance(20)
            story.world.advance(story.clock.now())
            runs.append(fail(story, id=name, finished_at=story.clock.now()))
        await story.let(daemon, 90, step=30)
        evidence = await seen(story, daemon, wanted(task="mail"))
        assert [link.id for link in evidence.runs] == ["run_a", "run_b", "run_c"]


#: (minutes ago, version, status), and the version to blame.
DEPLOYMENTS: dict[str, tuple[tuple[tuple[int, str, str], ...], str]] = {
    "the newer one never worked": (((9, "1", "COMPLETED"), (5, "2", "FAILED"), (4, "2", "FAILED")), "2"),
    "the newer one also worked": (((9, "1", "COMPLETED"), (5, "2", "FAILED"), (4, "2", "COMPLETED")), ""),
    "both fail": (((9, "1", "COMPLETED"), (6, "1", "FAILED"), (5, "2", "FAILED")), ""),
    "the one that works is newer": (((9, "1", "FAILED"), (5, "2", "COMPLETED")), ""),
    "nothing ever worked": (((9, "1", "FAILED"),), ""),
}


@pytest.mark.parametrize("deployments", DEPLOYMENTS)
async def test_a_version_is_blamed_if_it_never_worked_and_an_older_one_did(tmp_path: Path, deployments: str) -> None:
    runs, blamed = DEPLOYMENTS[deployments]
    async with tell(tmp_path) as story, story.daemon() as daemon:
        for ago, version, status in runs:
            story.world.add_run(
                task="mail",
                status=status,
                version=f"20261123.{version}",
                created_at=(at := story.clock.now() - ago * MINUTE),
                finished_at=at,
                error=error_of(status, "E", "broken") if status == "FAILED" else None,
            )
        await daemon.poll()
        evidence = await seen(story, daemon, wanted(task="mail"))
        assert evidence.since_version == (f"20261123.{blamed}" if blamed else "")


@pytest.mark.parametrize("profile", ["seed", "v4.4"])
async def test_every_dialect_names_the_runs(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        await daemon.poll()
        run = fail(story)
        await story.let(daemon, 90, step=30)
        evidence = await seen(story, daemon, wanted(task="mail"))
        assert [link.id for link in evidence.runs] == [run]


async def test_a_narrowed_rule_lists_what_it_is_about(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        mine = fail(story, "billing-a", message="mine")
        fail(story, "mail", message="not mine")
        await story.let(daemon, 90, step=30)
        evidence = await seen(story, daemon, wanted(where=Where(task=("billing-*",))))
        assert [link.id for link in evidence.runs] == [mine]
        assert evidence.errors == (ErrorCount("SmtpError", "mine", 1),)


async def test_what_cannot_be_had_is_left_out(tmp_path: Path) -> None:
    async with tell(tmp_path, profile="v4.4") as story, story.daemon() as daemon:
        assert LedgerWitness(daemon.targets).evidence(wanted(), story.clock.now()) == NO_EVIDENCE
        assert LedgerWitness(()).evidence(wanted(), story.clock.now()) == NO_EVIDENCE
        await daemon.poll()
        run = fail(story)
        await story.let(daemon, 90, step=30)
        story.faults.on("run", deny=403)
        evidence = await seen(story, daemon, wanted())
        assert [link.id for link in evidence.runs] == [run]
        assert evidence.errors == ()


async def test_each_run_is_asked_for_once_and_closing_gives_up(tmp_path: Path) -> None:
    async with tell(tmp_path, profile="v4.4") as story, story.daemon() as daemon:
        await daemon.poll()
        fail(story)
        await story.let(daemon, 90, step=30)
        witness = LedgerWitness(daemon.targets)
        before = story.simulator.simulator.counts["run"]
        for _ in range(3):
            witness.prepare(wanted())
            witness.prepare(wanted())
            await witness.settled()
        assert story.simulator.simulator.counts["run"] == before + 1
        fail(story)
        await story.let(daemon, 90, step=30)
        witness.prepare(wanted())
        await witness.close()
        assert len(witness.evidence(wanted(), story.clock.now()).errors) == 1


async def test_an_open_test_run_is_shown_where_tests_count(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="mail", status="EXECUTING", is_test=True)
        await daemon.poll()
        about = Where(include_test=True)
        assert (await seen(story, daemon, wanted("stuck_runs", task="mail"))).runs == ()
        told = await seen(story, daemon, wanted("stuck_runs", where=about, task="mail"))
        assert [link.id for link in told.runs] == [run]


async def test_a_share_that_is_used_up_is_not_waited_for(tmp_path: Path) -> None:
    async with (
        tell(tmp_path, profile="v4.4") as story,
        story.daemon(quota=Quota(requests_per_minute=30, share=0.5)) as daemon,
    ):
        await daemon.poll("queues", "runs")
        for _ in range(10):
            fail(story)
        story.clock.advance(30)
        await daemon.poll("queues", "runs")
        before, slept = story.simulator.simulator.counts["run"], list(story.clock.slept)
        witness = LedgerWitness(daemon.targets)
        witness.prepare(wanted())
        await witness.settled()
        asked = story.simulator.simulator.counts["run"] - before
        assert story.clock.slept == slept, "nobody waited for more"
        assert asked < 10
        told = witness.evidence(wanted(), story.clock.now())
        assert len(told.runs) == 5
        assert sum(error.count for error in told.errors) == asked


async def test_open_runs_and_queues(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_queue("emails", limit=3, paused=True)
        old = story.world.add_run(task="mail", status="EXECUTING", queue="emails")
        await daemon.poll()
        story.clock.advance(30)
        story.world.advance(story.clock.now())
        young = story.world.add_run(task="mail", status="QUEUED", queue="emails", id="run_aa_first_by_name")
        await story.let(daemon, 90, step=30)
        both = wanted("stuck_runs", statuses=("EXECUTING", "QUEUED"), task="mail")
        stuck = await seen(story, daemon, both)
        assert [(link.id, link.status) for link in stuck.runs] == [(old, "EXECUTING"), (young, "QUEUED")]
        executing = await seen(story, daemon, wanted("stuck_runs", task="mail"))
        assert [link.id for link in executing.runs] == [old], "only in the statuses that the rule asks for"
        queued = wanted("stuck_runs", statuses=("QUEUED",), older_than=HOUR, task="mail")
        assert (await seen(story, daemon, queued)).runs == (), "nor those that are not stuck yet"
        assert [link.id for link in (await seen(story, daemon, wanted("slow_runs", task="mail"))).runs] == [old]
        (why,) = stuck.notes
        assert why == "why: Its queue emails is paused. One run waits for 1 min 30 s."
        assert (await seen(story, daemon, wanted("queue_paused", queue="task/mail"))).notes == ()
        waits = await seen(story, daemon, wanted("queue_age", queue="emails"))
        assert [link.id for link in waits.runs] == [young]
        assert waits.notes == ("1 wait, 1 of 3 run, paused",)
        story.faults.view_status = 500
        await story.let(daemon, 60, step=30)
        (note,) = (await seen(story, daemon, wanted("source_down"))).notes
        assert note == "runs: 500 Internal Server Error"


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timeout after 30.5s at 10:02:11", "timeout after <n>s at <n>:<n>:<n>"),
        ("order 8f14e45f-ceea-467f-a0e6-1c2d3e4f5a6b is gone", "order <uuid> is gone"),
        ("commit deadbeef01 and 0xFF", "commit <hex> and <hex>"),
        ("a cafe facade is no hash", "a cafe facade is no hash"),
        ("two\n  lines\tand tabs ", "two lines and tabs"),
        ("", ""),
        ("x" * 600, "x" * (LONGEST - 1) + "…"),
    ],
)
def test_what_differs_from_run_to_run_becomes_a_placeholder(text: str, expected: str) -> None:
    assert normalised(text) == expected


@given(st.text(max_size=3_000))
def test_texts_are_short_and_stay_as_they_are(text: str) -> None:
    once = normalised(text)
    assert len(once) <= LONGEST
    assert "\n" not in once


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"name": "E", "message": "m", "stackTrace": "s"}}, RunError(name="E", message="m")),
        ({"error": {"message": "m"}}, RunError(name="Error", message="m")),
        ({"error": {"name": "E"}}, RunError(name="E", message="")),
        ({"attempts": [{"error": {"name": "1"}}, {"error": {"name": "2"}}, {}]}, RunError(name="2", message="")),
        ({"error": {"message": "m" * 9_000}}, RunError(name="Error", message="m" * ERROR_CHARACTERS)),
        ({"attempts": []}, None),
        ({"error": {}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_error_of_a_run(body: object, expected: RunError | None) -> None:
    assert read_run_error(msgspec.json.encode(body)) == expected


def test_an_error_that_cannot_be_read_is_named() -> None:
    for body in (b"[]", b"{", b'{"error": 7}'):
        with pytest.raises(Unreadable):
            read_run_error(body)


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(at: int, *, task: str = "a", version: str = "1", is_success: bool = False) -> Ended:
    return Ended(at, f"run_{at}", task, "FAILED", at - SECOND, version, None, (), is_success)


def test_only_the_latest_are_kept() -> None:
    recent = Recent()
    for at in (*range(100, 200), *range(100)):
        recent.add(ended(at, version=str(at)))
    assert [run.finished_at for run in recent.unsuccessful()] == list(range(200 - KEPT_RUNS, 200))
    assert set(recent.versions("a")) == {str(at) for at in range(200 - KEPT_VERSIONS, 200)}
    for n in range(KEPT_TASKS):
        recent.add(ended(n, task=f"task-{n}"))
    assert recent.versions("a") == {}
