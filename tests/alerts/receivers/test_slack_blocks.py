"""Slack's payloads: the goldens, every limit for whatever data, and nobody is pinged by data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_notices import notice, told
from message_samples import GOLDEN, HOSTILE, SAMPLES, goldens
from slack_limits import blocks_of, problems
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why
from triggerdev_alerts.receivers.slack_blocks import has_blocks, payload, plain_payload
from triggerdev_alerts.signals import ErrorCount, Evidence, RunLink

HERE = {"critical": "<!here>"}


def texts(body: dict[str, Any]) -> str:
    """All that is read in the blocks, a line each."""
    parts = [part for block in blocks_of(body) for part in (block.get("text"), *block.get("elements", ())) if part]
    return "\n".join(part["text"] if isinstance(part["text"], str) else part["text"]["text"] for part in parts)


def made(notification: Notification, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payload(notification, **more))
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name: str) -> None:
    file = f"{name}.slack.json"
    assert goldens()[file] == (GOLDEN / file).read_text("utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_keep_slacks_limits(name: str) -> None:
    assert problems(made(SAMPLES[name])) == []
    assert problems(json.loads(plain_payload(SAMPLES[name], mentions={}))) == []
    assert payload(SAMPLES[name]) == payload(SAMPLES[name])


def test_v1_of_a_hundred_alerts_ten_are_listed_and_the_rest_is_a_number() -> None:
    body = made(SAMPLES["firing_many"])
    assert len(blocks_of(body)) <= 50
    assert [f"*task-{number:03} " in texts(body) for number in range(12)] == [True] * 10 + [False] * 2
    assert "… and *90 more*" in texts(body)
    assert body["text"].endswith("… and 90 more")


def test_v8_a_hostile_error_text_pings_nobody_and_stays_in_its_fence() -> None:
    body = made(SAMPLES["hostile"])
    said = texts(body)
    assert "<!channel>" not in json.dumps(body)
    assert "<@U012AB3CD>" not in json.dumps(body)
    assert "&lt;!channel&gt;" in said
    assert "\u202e" not in said
    fences = said.split("```")
    assert len(fences) == 5, "one of errors, one to silence"
    assert "`\u200b`\u200b`: `\u200b`\u200b`\u200b`\u200b`" in fences[1]


def test_colours_tell_the_state() -> None:
    found = {name: made(sample)["attachments"][0]["color"] for name, sample in SAMPLES.items()}
    assert found["firing"] == "#d7263d"
    assert found["held"] == "#f2a33a"
    assert found["resolved"] == found["missed_firing"] == "#2eb67d"
    assert found["flapping"] == "#8e5cd9"
    assert found["digest"] == "#6b7280"


@pytest.mark.parametrize(
    ("notification", "pings"),
    [
        (told(), True),
        (told(why=Why.NEW_ALERTS), True),
        (told(why=Why.REPEAT), True),
        (told(why=Why.MUTE_ENDED), True),
        (told(why=Why.SOME_RESOLVED), False),
        (told(notice(labels=(("severity", "warning"),))), False),
        (told(notice(status="resolved"), kind=NoticeKind.RESOLVED, why=Why.ALL_RESOLVED), False),
        (told(notice(status="resolved"), notice(labels=(("severity", "warning"),))), False),
        (told(kind=NoticeKind.FLAPPING, why=Why.FLAPPING), False),
        (told(is_test=True, why=Why.TEST), False),
    ],
)
def test_only_what_fires_with_that_severity_mentions_somebody(notification: Notification, pings: bool) -> None:
    body = made(notification, mentions=HERE)
    assert problems(body, ("<!here>",)) == []
    assert ("<!here>" in texts(body)) is pings
    assert ("<!here> " in json.loads(plain_payload(notification, mentions=HERE))["text"]) is pings


def test_a_line_to_silence_is_whole_or_not_there() -> None:
    long = notice(labels=(("alertname", "A"), ("target", "t"), ("task", "x" * 256), ("tag", "y" * 256)))
    assert f"task={'x' * 256}" in texts(made(told(long)))
    longer = notice(labels=tuple((f"l{number}", "&" * 256) for number in range(9)))
    assert "Silence" not in texts(made(told(longer)))


def test_buttons_are_what_all_alerts_share_and_only_real_addresses() -> None:
    same = (("runbook", "https://wiki.example/a&b"), ("summary", "s"))
    body = made(told(notice("a", annotations=same), notice("b", annotations=same)))
    (actions,) = [block for block in blocks_of(body) if block["type"] == "actions"]
    assert [(one["text"]["text"], one["url"]) for one in actions["elements"]] == [
        ("Runbook", "https://wiki.example/a&b")
    ]
    other = (("runbook", "https://wiki.example/c"), ("summary", "s"))
    body = made(told(notice("a", annotations=same), notice("b", annotations=other)))
    assert "actions" not in {block["type"] for block in blocks_of(body)}
    assert "<https://wiki.example/a&amp;b|runbook>" in texts(body)
    bad = (("runbook", "javascript:alert(1)"), ("summary", "s"))
    body = made(told(notice(annotations=bad)))
    assert "actions" not in {block["type"] for block in blocks_of(body)}
    assert "runbook: javascript:alert(1)" in texts(body)


def test_a_plain_text_is_known_from_blocks() -> None:
    assert has_blocks(payload(told()))
    assert not has_blocks(plain_payload(told(), mentions={}))


_ANY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="<>&!@#|`*_~:\n\r\t \u202e\u200d\u0301\u200b\x1b[31m👩\U0001f3ff🇩🇪a1/\\\"'^{}", max_size=80),
    st.builds(
        lambda text, times: text * times,
        st.sampled_from(["&", "```", "<!channel>", "é\u0301", "👩\u200d🚀", "x "]),
        st.integers(1, 1_000),
    ),
    st.just(HOSTILE[:3_000]),
)
_PAIRS = st.dictionaries(_ANY, _ANY, max_size=5).map(lambda pairs: tuple(pairs.items()))
_EVIDENCE = st.builds(
    Evidence,
    st.lists(st.builds(ErrorCount, _ANY, _ANY, st.integers(0, 10**9)), max_size=12).map(tuple),
    st.lists(st.builds(RunLink, _ANY, _ANY | _ANY.map("https://x.example/".__add__), _ANY), max_size=12).map(tuple),
    _ANY,
    st.lists(_ANY, max_size=6).map(tuple),
)
_NAMES = st.sampled_from(["alertname", "severity", "target", "task", "owner", "queue"])
_LABELS = st.dictionaries(_NAMES, _ANY, max_size=6).map(lambda pairs: tuple(pairs.items()))
_NOTICES = st.builds(
    AlertNotice,
    fingerprint=st.just("0" * 16),
    status=st.sampled_from(["firing", "resolved"]),
    labels=_LABELS,
    annotations=_PAIRS | st.builds(lambda a, b: (("runbook", f"https://x.example/{a}"), ("summary", b)), _ANY, _ANY),
    starts_at=st.integers(0, 2**42),
    ends_at=st.none() | st.integers(0, 2**42),
    reason=_ANY,
    says=_ANY,
    evidence=_EVIDENCE,
)
_NOTIFICATIONS = st.builds(
    Notification,
    id=_ANY,
    receiver=_ANY,
    group_key=_ANY,
    group_labels=_LABELS,
    seq=st.just(1),
    kind=st.sampled_from(NoticeKind),
    why=st.sampled_from(Why),
    at=st.integers(0, 2**42),
    alerts=st.lists(_NOTICES, max_size=4).flatmap(
        lambda few: st.integers(1, 12).map(lambda times: tuple(few * times))
    ),
    truncated=st.integers(0, 10**6),
    missed_firing=st.booleans(),
    groups=st.lists(_ANY, max_size=40).map(tuple),
    is_test=st.booleans(),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(notification=_NOTIFICATIONS, listed=st.integers(1, 30))
def test_limits_hold_for_anything(notification: Notification, listed: int) -> None:
    assert problems(made(notification, listed=listed)) == []
    assert problems(json.loads(plain_payload(notification, listed=listed, mentions={}))) == []
