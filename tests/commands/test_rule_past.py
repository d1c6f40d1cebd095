"""`rules replay` and `rules suggest` against the simulator: what they read back is what happened there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click import BadParameter, UsageError

from story import KEY, Story, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, iso
from triggerdev_exporter.commands import rule_replay, rule_suggest
from triggerdev_exporter.errors import ExporterError
from virtual_clock import START

RULES = """\
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops, group_wait: 30s, group_interval: 5m}
groups:
  - name: g
    rules:
      - {alert: Fails, when: {failure_rate: {window: 15m, above: 20%}}}
      - {alert: Missed, when: {missed_schedule: }}
      - {alert: NoDeploy, when: {deployment_failed: }}
      - {alert: Waits, when: {queue_age: {above: 10m}}}
      - {alert: Blind, when: {source_down: }}
"""
SHOP = """\
targets:
  - name: shop
    secret_key_file: key
    api_url: {url}
    quota: {{requests_per_minute: 100000, share: 100%}}
"""


@asynccontextmanager
async def past(folder: Path, profile: str = "v4.5") -> AsyncIterator[Story]:
    """Twelve hours of a task that fails for a quarter of an hour, and of a run that waits for twenty minutes."""
    async with tell(folder, profile=profile, start=START - 12 * HOUR) as story:
        begin = story.clock.now()
        for n in range(12 * 120):
            at = begin + n * 30 * SECOND
            failed = 2 * HOUR <= at - begin < 2 * HOUR + 15 * MINUTE
            status = "COMPLETED_WITH_ERRORS" if failed else "COMPLETED_SUCCESSFULLY"
            story.world.add_run(task="mail", status=status, created_at=at, finished_at=at + SECOND)
        waits = begin + 3 * HOUR
        story.world.add_run(
            task="slow", status="COMPLETED_SUCCESSFULLY", created_at=waits, started_at=waits + 20 * MINUTE
        )
        story.clock.advance(12 * 3600)
        story.world.advance(story.clock.now())
        (folder / "key").write_text(KEY, "utf-8")
        (folder / "config.yml").write_text(SHOP.format(url=story.simulator.url), "utf-8")
        (folder / "rules.yml").write_text(RULES, "utf-8")
        yield story


async def replay(story: Story, **changes: Any) -> None:
    """The command, in a thread of its own: it brings its own event loop."""
    wish: dict[str, Any] = {
        "files": (str(story.folder / "rules.yml"),),
        "config_path": story.folder / "config.yml",
        "begin": "11h",
        "end": "",
        "targets": (),
        "recording": None,
        "every": "",
        "format": "json",
    }
    await asyncio.to_thread(rule_replay.replay_rules, rule_replay.Wish(**{**wish, **changes}), story.clock)


async def suggest(story: Story, **changes: Any) -> None:
    wish: dict[str, Any] = {
        "config_path": story.folder / "config.yml",
        "begin": "12h",
        "end": "",
        "targets": (),
        "every": "5m",
        "format": "yaml",
    }
    await asyncio.to_thread(rule_suggest.suggest_rules, rule_suggest.Wish(**{**wish, **changes}), story.clock)


async def test_replay_tells_what_would_have_been_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with past(tmp_path) as story:
        await replay(story)
    told = json.loads(capsys.readouterr().out)
    rules = {rule["alert"]: rule for rule in told["rules"]}
    (fails,) = rules["Fails"]["incidents"]
    assert fails["labels"]["task"] == "mail"
    # From the fourth failure of thirty runs on, seen half a minute later, until they are six again.
    assert fails["fired_at"][:16] == minute(2 * HOUR + 4 * MINUTE)
    assert fails["ended_at"][:16] == minute(2 * HOUR + 28 * MINUTE)
    assert rules["Fails"]["messages"] == {"ops": 2}
    (waits,) = rules["Waits"]["incidents"]
    assert (waits["labels"]["queue"], waits["fired_at"][:16]) == ("task/slow", minute(3 * HOUR + 11 * MINUTE))
    assert waits["ended_at"][:16] == minute(3 * HOUR + 20 * MINUTE)
    assert [name for name, rule in rules.items() if not rule["replayed"]] == ["Blind"]
    assert rules["Blind"]["why_not"] == "how well the API could be read is not known afterwards"
    assert [(one["kind"], one["alerts"][0]["labels"]["alertname"]) for one in told["messages"]] == [
        ("firing", "Fails"),
        ("resolved", "Fails"),
        ("firing", "Waits"),
        ("resolved", "Waits"),
    ]


async def test_the_shipped_rules_are_replayed_where_no_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with past(tmp_path) as story:
        monkeypatch.setenv("TRIGGER_SECRET_KEY", KEY)
        monkeypatch.setenv("TRIGGER_API_URL", story.simulator.url)
        await replay(story, files=(), config_path=None, format="text", every="5m")
    told = capsys.readouterr().out
    assert "TaskFailureRateCritical would have fired 1 time" in told
    assert "QueueAgeHigh would have fired 1 time" in told


@pytest.mark.parametrize(
    ("head", "why"),
    [("", "no receiver is configured"), (RULES.splitlines()[0], "no route leads to a receiver")],
)
async def test_rules_that_tell_nobody_say_so_and_what_they_would_have_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, why: str
) -> None:
    async with past(tmp_path) as story:
        groups = RULES[RULES.index("groups:") :]
        (tmp_path / "rules.yml").write_text(f"{head}\n{groups}", "utf-8")
        await replay(story, format="text")
        text = capsys.readouterr().out
        await replay(story)
        told = json.loads(capsys.readouterr().out)
    assert "Fails would have fired 1 time, 2 messages if anybody were told:\n" in text
    nothing = f"In all: 2 alerts. Nothing would be sent: {why}."
    assert text.endswith(f"{nothing}\nWith a receiver that gets everything there would be 4 messages.\n")
    assert told["messages"] == []
    assert {rule["alert"]: rule["messages"] for rule in told["rules"] if rule["fired"]} == {"Fails": {}, "Waits": {}}
    assert told["total"] == {"fired": 2, "messages": 0, "nobody_is_told": why, "messages_to_one_receiver": 4}


async def test_both_dialects_tell_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for profile in ("v4.5", "seed"):
        async with past(tmp_path, profile) as story:
            await replay(story)
        told.append(json.loads(capsys.readouterr().out)["rules"])
    assert told[0] == told[1]


async def test_suggest_prints_rules_that_would_have_told_of_the_bad_hour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with past(tmp_path) as story:
        await suggest(story)
        text = capsys.readouterr().out
        (tmp_path / "suggested.yml").write_text(text, "utf-8")
        # What it says of itself is what replay says of it.
        await replay(story, files=(str(tmp_path / "suggested.yml"),), every="5m", begin="12h")
        replayed = json.loads(capsys.readouterr().out)
        await suggest(story, format="json")
        told = json.loads(capsys.readouterr().out)
    assert "of shop: 1,441 runs." in text
    fired = {rule["alert"]: rule["fired"] for rule in replayed["rules"]}
    assert {rule["alert"]: rule["messages"] // 2 for rule in told["rules"]} == fired
    assert fired["TaskFailureRateAbove5Percent"] == 1


async def test_suggest_leaves_out_what_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with past(tmp_path) as story:
        await suggest(story, without=("mail", "old-*"))
        text = capsys.readouterr().out
        await suggest(story, only=("mail",), format="json")
        told = json.loads(capsys.readouterr().out)
    assert "# Tasks like mail, old-* were left out." in text
    assert "mail:" not in text
    subjects = {one.get("task", one.get("queue")) for rule in told["rules"] for one in rule["for"]}
    assert "mail" in subjects <= {"mail", "task/mail"}
    assert "Only tasks like mail were asked for." in told["caveats"]


async def test_files_without_a_rule_are_not_replayed(tmp_path: Path) -> None:
    async with past(tmp_path) as story:
        (tmp_path / "rules.yml").write_text("\n".join(RULES.splitlines()[:2]), "utf-8")
        before = sum(story.simulator.simulator.counts.values())
        with pytest.raises(UsageError, match="there is no rule in these files"):
            await replay(story)
        assert sum(story.simulator.simulator.counts.values()) == before


async def test_what_has_no_number_is_told_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with past(tmp_path) as story:
        story.world.add_deployment(status="FAILED", created_at=START - HOUR)
        await replay(story, format="text")
    assert "shop: fired; still firing at the end" in capsys.readouterr().out


async def test_a_bad_span_is_told(tmp_path: Path) -> None:
    async with past(tmp_path) as story:
        with pytest.raises(BadParameter, match="ends before it begins"):
            await suggest(story, begin="1h", end="2h")
        with pytest.raises(BadParameter, match="neither an instant nor a time ago"):
            await replay(story, begin="yesterday")
        with pytest.raises(BadParameter, match='no target "shops"; there are shop'):
            await suggest(story, targets=("shops",))


async def test_an_api_that_cannot_be_read_is_an_error_and_no_empty_past(tmp_path: Path) -> None:
    async with past(tmp_path) as story:
        story.faults.view_status = 500
        with pytest.raises(ExporterError):
            await suggest(story)


def minute(offset: int) -> str:
    """The minute, as a report writes it."""
    return iso(START - 12 * HOUR + offset)[:16]
