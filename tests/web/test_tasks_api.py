"""What the API says of tasks, over a watcher, and `why` as it is typed: exact texts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from pages_stage import Paged, paged
from triggerdev_exporter.cli import cli


async def ask(stage: Paged, *arguments: str) -> Result:
    """The command in a thread of its own, since the server lives in this one."""
    async with stage.serving() as client:
        environ = {"TRIGGERDEV_EXPORTER_URL": str(client.make_url("/"))}
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), env=environ)


async def in_trouble(stage: Paged) -> None:
    """A paused queue with runs that wait."""
    world = stage.story.world
    world.add_queue("emails", limit=3)
    world.add_run(task="mail/welcome", status="COMPLETED", queue="emails", version="20251009.1")
    await stage.daemon.poll()
    await stage.let(60)
    for _ in range(2):
        world.add_run(task="mail/welcome", status="QUEUED", queue="emails")
    world.pause_queue("emails")
    await stage.let(180)


async def test_why_as_it_is_typed(tmp_path: Path) -> None:
    async with paged(tmp_path) as stage:
        await in_trouble(stage)
        asked = sum(stage.daemon.target.client.meter.requests.values())
        done = await ask(stage, "why", "mail/welcome")
        assert sum(stage.daemon.target.client.meter.requests.values()) == asked, "nobody asks the API for it"
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == (
            "mail/welcome in prod: paused\n"
            "  Its queue emails is paused. 2 runs wait, the oldest for 3 min.\n"
            "  known: last success 2025-10-09 08:53 UTC, 2 QUEUED (oldest 3 min), queue emails, version 20251009.1\n"
            "  do: Resume the queue, in the dashboard or by the API, if nobody paused it on purpose.\n"
        )


async def test_a_task_that_nobody_knows(tmp_path: Path) -> None:
    async with paged(tmp_path) as stage:
        none = await ask(stage, "why", "mail")
        assert none.exit_code == 1
        assert "runs were not read yet" in str(none.exception)
        await in_trouble(stage)
        done = await ask(stage, "why", "mail/welcom")
        assert str(done.exception) == 'no task "mail/welcom" is known; did you mean "mail/welcome"?'


async def test_why_as_json(tmp_path: Path) -> None:
    async with paged(tmp_path) as stage:
        await in_trouble(stage)
        async with stage.serving() as client:
            found = await (await client.get("/api/v1/tasks/mail%2Fwelcome/why?target=prod")).json()
            wrong = await client.get("/api/v1/tasks/mail%2Fwelcome/why?target=other")
        (answer,) = found["answers"]
        assert answer["cause"]["leaf"] == "paused"
        assert answer["cause"]["since"] == answer["open"][0]["oldest"]
        assert answer["open"][0]["count"] == 2
        assert answer["failures_in_a_row"] == 0
        assert wrong.status == 400


async def test_why_tells_who_is_told_already(tmp_path: Path) -> None:
    async with paged(tmp_path) as stage:
        await in_trouble(stage)
        await stage.put("TaskFailureRateHigh", task="mail/welcome")
        await stage.put("TaskFailureRateHigh", task="another")
        await stage.silence("task=mail/welcome")
        done = await ask(stage, "why", "mail/welcome")
        lines = done.stdout.splitlines()
        assert len([line for line in lines if line.startswith("  alert: ")]) == 1
        assert lines[2].startswith("  alert: TaskFailureRateHigh fires since ")
        assert ", silenced: " in lines[2]
        async with stage.serving() as client:
            found = await (await client.get("/api/v1/tasks/mail%2Fwelcome")).json()
    (alert,) = found["tasks"][0]["why"]["alerts"]
    assert alert["labels"]["task"] == "mail/welcome"
