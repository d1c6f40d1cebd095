"""What the demo prints of a message of Slack and of a webhook: the payload, readable, and nothing that is not in it."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp

from triggerdev_exporter.sink import open_sink, plain, slack_lines

GOLDEN = Path(__file__).parent / "alerts" / "message" / "golden"


def test_a_message_of_slack_reads_like_one() -> None:
    lines = slack_lines(json.loads((GOLDEN / "firing.slack.json").read_text("utf-8")))
    assert lines[:5] == [
        "[FIRING, critical] TaskFailureRateHigh in shop-prod, owner payments",
        "",
        "send-email fails: 42.1% of 57 runs",
        "42.1% of 57 runs failed in 15m (above 10%)",
        "critical, since 2025-11-24 12:02 UTC  ·  began with version 20251124.3",
    ]
    text = "\n".join(lines)
    assert "19 × SmtpError: 550 5.7.1 relaying denied for <id>@example.com" in text
    assert "(https://cloud.trigger.dev/orgs/acme/projects/shop/env/prod/runs/run_cm3x0k2p000108l4) FAILED" in text
    assert [line[:10] for line in lines if line.endswith(") FAILED")] == ["  run_cm3x", "  run_cm3x"]
    assert "Runs" in lines, "a heading has a line of its own"
    assert "[ Runbook ] https://wiki.example/runbooks/send-email" in text
    assert "triggerdev-exporter silence add alertname=TaskFailureRateHigh" in text
    assert "```" not in text
    assert "&lt;" not in text


def test_markup_of_data_does_not_survive_as_markup() -> None:
    assert plain("*bold* a*b*c &amp;lt; <https://x.example/|https://x.example/>") == (
        "bold a*b*c &lt; https://x.example/"
    )


async def test_it_answers_yes_and_prints() -> None:
    printed: list[str] = []
    async with open_sink(printed.append) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/slack", json={"text": "only\ntext \x1b[31m"}) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with session.post(f"{url}/webhook", json={"id": "msg_1"}, headers={"webhook-id": "msg_1"}) as answer:
            assert answer.status == 204
    assert [text.splitlines()[1][:40] for text in printed] == [
        "  ┌─ Slack gets ────────────────────────",
        "  ┌─ The webhook gets msg_1, not signed ",
    ]
    assert "  │ only\n  │ text  [31m\n" in printed[0]
    assert '  │   "id": "msg_1"\n' in printed[1]
