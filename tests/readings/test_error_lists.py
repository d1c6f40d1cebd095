"""Errors as the server counts them: asked for in the background, and read from single runs where there is no list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from readings.test_witness import fail, wanted
from story import Daemon, Story, tell
from triggerdev_alerts.signals import ErrorCount, Evidence, Wanted, Where
from triggerdev_exporter.clock import HOUR, MINUTE
from triggerdev_exporter.readings.error_lists import SHOWN_FOR
from triggerdev_exporter.readings.witness import LOOKED_AT, LedgerWitness

FULL = ErrorCount("SmtpError", "mailbox <n> is full", 14)
LOOKED = ErrorCount("SmtpError", "mailbox <n> is full", LOOKED_AT)


@asynccontextmanager
async def bad_day(folder: Path, profile: str = "v4.5", failures: int = 14) -> AsyncIterator[tuple[Story, Daemon]]:
    """A task whose runs fail, each with another number in its error."""
    async with tell(folder, profile=profile) as story, story.daemon() as daemon:
        await daemon.poll()
        for n in range(failures):
            fail(story, message=f"mailbox {n} is full", version="20261123.2")
        await story.let(daemon, 60, step=30)
        story.simulator.simulator.counts.clear()
        yield story, daemon


def asked(story: Story) -> dict[str, int]:
    """How often each of the two was asked for."""
    return {name: story.simulator.simulator.counts[name] for name in ("errors", "run")}


async def look(story: Story, witness: LedgerWitness, about: Wanted) -> Evidence:
    witness.prepare(about)
    await witness.settled()
    return witness.evidence(about, story.clock.now())


async def test_one_request_tells_of_all_runs(tmp_path: Path) -> None:
    async with bad_day(tmp_path) as (story, daemon):
        fail(story, "other")
        witness = LedgerWitness(daemon.targets)
        assert (await look(story, witness, wanted(task="mail"))).errors == (FULL,)
        assert asked(story) == {"errors": 1, "run": 0}
        (request,) = [one for one in story.simulator.simulator.requests if one.endpoint == "errors"]
        assert request.path == (
            "/api/v1/errors?filter%5Bperiod%5D=900s&page%5Bsize%5D=25&filter%5BtaskIdentifier%5D=mail"
        )
        newest = daemon.target.ledger.recent.unsuccessful_of("mail")  # type: ignore[union-attr]  # it has been polled
        of_task = witness.errors_in(daemon.target, newest, story.clock.now())
        assert sum(of_task.values()) == 14, "why TASK tells them too"
        names = wanted(texts="name", task="mail", version="20261123.2")
        assert (await look(story, witness, names)).errors == (ErrorCount("SmtpError", "", 14),)
        assert (await look(story, witness, wanted(texts="off", task="mail"))).errors == ()


async def test_rules_that_begin_together_ask_once(tmp_path: Path) -> None:
    async with bad_day(tmp_path) as (story, daemon):
        witness = LedgerWitness(daemon.targets)
        for condition in ("failure_rate", "failure_count", "consecutive_failures"):
            assert (await look(story, witness, wanted(condition, task="mail"))).errors == (FULL,)
        assert asked(story) == {"errors": 1, "run": 0}


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_is_believed_for_an_hour_and_runs_are_read_meanwhile(tmp_path: Path, status: int) -> None:
    async with bad_day(tmp_path) as (story, daemon):
        story.faults.on("errors", status=status)
        witness = LedgerWitness(daemon.targets)
        assert (await look(story, witness, wanted(task="mail"))).errors == (LOOKED,)
        assert asked(story) == {"errors": 1, "run": LOOKED_AT}
        story.faults.clear()
        for minutes, expected in ((59, 1), (1, 2)):
            story.clock.advance(minutes * 60)
            fail(story, message="mailbox 99 is full")
            await daemon.poll()
            about = wanted(window=2 * HOUR, task="mail")
            await look(story, witness, about)
            assert asked(story)["errors"] == expected
        assert witness.evidence(about, story.clock.now()).errors[0].count == 16


async def test_a_server_without_a_list(tmp_path: Path) -> None:
    async with bad_day(tmp_path, profile="v4.4") as (story, daemon):
        assert (await look(story, LedgerWitness(daemon.targets), wanted(task="mail"))).errors == (LOOKED,)
    async with bad_day(tmp_path / "seed", profile="seed") as (story, daemon):
        await look(story, LedgerWitness(daemon.targets), wanted(task="mail"))
        assert asked(story) == {"errors": 0, "run": LOOKED_AT}


@pytest.mark.parametrize("trouble", [{"status": 400}, {"cut": "json"}, {"html": True}])
async def test_trouble_is_no_answer_and_no_refusal(tmp_path: Path, trouble: dict[str, object]) -> None:
    async with bad_day(tmp_path, failures=3) as (story, daemon):
        story.faults.on("errors", times=1, **trouble)
        witness = LedgerWitness(daemon.targets)
        evidence = await look(story, witness, wanted(task="mail"))
        assert evidence.errors == (ErrorCount("SmtpError", "mailbox <n> is full", 3),)
        await look(story, witness, wanted(task="mail"))
        assert asked(story) == {"errors": 2, "run": 3}


async def test_an_empty_list_is_not_believed(tmp_path: Path) -> None:
    async with bad_day(tmp_path, failures=3) as (story, daemon):
        story.faults.view_empty = True
        evidence = await look(story, LedgerWitness(daemon.targets), wanted(task="mail"))
        assert evidence.errors == (ErrorCount("SmtpError", "mailbox <n> is full", 3),)


@pytest.mark.parametrize(
    "about",
    [
        wanted(task="mail", queue="task/mail"),
        wanted(where=Where(queue=("task/*",))),
        wanted(where=Where(version=("2026*",))),
        wanted(statuses=("FAILED",)),
    ],
)
async def test_what_the_list_cannot_be_narrowed_by_is_read_from_runs(tmp_path: Path, about: Wanted) -> None:
    async with bad_day(tmp_path, failures=3) as (story, daemon):
        await look(story, LedgerWitness(daemon.targets), about)
        assert asked(story) == {"errors": 0, "run": 3}


async def test_nobody_waits_for_it(tmp_path: Path) -> None:
    async with bad_day(tmp_path) as (story, daemon):
        story.faults.on("errors", latency_s=20)
        witness, about = LedgerWitness(daemon.targets), wanted(task="mail")
        witness.prepare(about)
        assert witness.evidence(about, story.clock.now()).errors == ()
        await witness.close()
        assert witness.evidence(about, story.clock.now()).errors == ()
        assert len(witness.evidence(about, story.clock.now()).runs) == about.runs


async def test_it_is_not_asked_for_where_our_share_is_used_up(tmp_path: Path) -> None:
    async with bad_day(tmp_path, failures=3) as (story, daemon):
        daemon.target.client._budget.block_until(10**9, int(story.clock.monotonic() * 1000))
        assert (await look(story, LedgerWitness(daemon.targets), wanted(task="mail"))).errors == ()
        assert asked(story) == {"errors": 0, "run": 0}


async def test_old_numbers_are_not_told(tmp_path: Path) -> None:
    async with bad_day(tmp_path) as (story, daemon):
        witness, about = LedgerWitness(daemon.targets), wanted(window=2 * HOUR, task="mail")
        assert (await look(story, witness, about)).errors == (FULL,)
        assert witness.evidence(about, story.clock.now() + SHOWN_FOR).errors == (FULL,)
        assert witness.evidence(about, story.clock.now() + SHOWN_FOR + MINUTE).errors == ()
