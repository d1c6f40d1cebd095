"""Notifications as plain text: the goldens, and what a line means."""

from __future__ import annotations

import shlex

import pytest

from alert_notices import notice, told
from message_samples import GOLDEN, SAMPLES, goldens
from triggerdev_alerts.message.text import brief, full, remarks, silence_line, spoken, title
from triggerdev_alerts.notification import NoticeKind, Why


@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name: str) -> None:
    assert goldens()[f"{name}.txt"] == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_no_golden_is_left_behind() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == goldens().keys()


def test_titles() -> None:
    gone = notice(status="resolved")
    ended = {"kind": NoticeKind.RESOLVED, "why": Why.ALL_RESOLVED}
    assert title(told()) == "[FIRING, critical] TaskFailureRateHigh in prod"
    assert title(told(notice("a"), notice("b"), gone)) == "[FIRING 2, RESOLVED 1, critical] TaskFailureRateHigh in prod"
    assert title(told(truncated=9)).startswith("[FIRING 10, critical]")
    assert title(told(gone, **ended)) == "[RESOLVED] TaskFailureRateHigh in prod"
    assert title(told(gone, gone, **ended, truncated=3)).startswith("[RESOLVED 5]")
    assert title(told(group_labels=(("task", "a\nb"),))) == "[FIRING, critical] TaskFailureRateHigh in prod, task a b"
    assert title(told(is_test=True)).startswith("[TEST, FIRING, critical]")
    digest = told(kind=NoticeKind.DIGEST, why=Why.DIGEST, groups=("a", "b"), alerts=())
    assert title(digest) == "[DIGEST] 2 messages in one"


def test_the_value_is_not_said_twice() -> None:
    says = "42% of 57 runs failed in 15m (above 10%)"
    said = notice(annotations=(("summary", "send-email in prod: 42% of 57 runs failed in 15m"),))
    assert spoken(said) == (f"send-email in prod: {says}", "")
    assert spoken(notice()) == ("send-email is failing", says)
    assert spoken(notice(says="")) == ("send-email is failing", "")
    assert spoken(notice(annotations=())) == ("TaskFailureRateHigh", says)
    held = f"{says}; held without news since 2025-11-24 12:10 UTC: the API cannot be read"
    assert spoken(notice(annotations=said.annotations, says=held)) == (
        f"send-email in prod: {says}",
        "held without news since 2025-11-24 12:10 UTC: the API cannot be read",
    )
    assert spoken(notice(says=held)) == ("send-email is failing", held)


def test_the_line_to_silence_can_be_pasted() -> None:
    one = told(notice(name="it's; $(rm -rf /)"))
    assert shlex.split(silence_line(one)) == [
        "triggerdev-exporter",
        "silence",
        "add",
        "alertname=TaskFailureRateHigh",
        "target=prod",
        "task=it's; $(rm -rf /)",
        "--for",
        "2h",
    ]
    two = told(notice("a"), notice("b"), group_labels=(("alertname", "A"), ("owner", "x"), ("queue", "")))
    assert silence_line(two) == "triggerdev-exporter silence add alertname=A owner=x --for 2h"


@pytest.mark.parametrize(
    "notification",
    [
        told(notice(status="resolved"), kind=NoticeKind.RESOLVED, why=Why.ALL_RESOLVED),
        told(notice("a"), notice("b"), group_labels=()),
        told(kind=NoticeKind.DIGEST, why=Why.DIGEST, groups=("a",)),
        told(is_test=True),
        told(notice(name="two\nlines")),
    ],
)
def test_where_there_is_nothing_to_silence_there_is_no_line(notification: object) -> None:
    assert silence_line(notification) == ""  # type: ignore[arg-type]


def test_long_lists_end_in_a_number() -> None:
    many = told(*(notice(str(number)) for number in range(12)), truncated=8)
    assert brief(many).splitlines()[-1] == full(many).splitlines()[-5] == "… and 10 more"
    assert len(brief(many).splitlines()) == 12
    assert "more" not in brief(told())


def test_a_text_has_no_control_characters() -> None:
    text = full(SAMPLES["hostile"]) + brief(SAMPLES["hostile"])
    assert all(character.isprintable() or character == "\n" for character in text)


def test_remarks() -> None:
    assert remarks(told()) == []
    assert remarks(told(why=Why.REPEAT)) == ["Still firing: this is a reminder."]
    assert remarks(told(kind=NoticeKind.FLAPPING, why=Why.FLAPPING, changes=6)) == [
        "It changed between firing and resolved 6 times. Nothing more is sent until it is stable."
    ]
