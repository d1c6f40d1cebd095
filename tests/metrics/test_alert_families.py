"""Alerts and notifications on the page: out of the book, with the target's static labels."""

from __future__ import annotations

from triggerdev_alerts.alert import Alert, Labels, State
from triggerdev_alerts.book import Book, Kind, Letter
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_exporter.metrics.alert_families import ALERT_FAMILIES
from triggerdev_exporter.metrics.process_families import Process


def put(book: Book, name: str, state: State, **labels: str) -> None:
    pairs: Labels = tuple(sorted({"alertname": name, **labels}.items()))
    alert = Alert(
        fingerprint=f"{len(book.alerts):016x}",
        rule=f"group/{name}",
        labels=pairs,
        key=(),
        target=labels.get("target", ""),
        state=state,
        active_at=0,
    )
    book.set_entry(Kind.ALERT, alert.fingerprint, alert)


def letter(number: int, receiver: str, created_at: int) -> Letter:
    told = Notification(
        id=f"msg_{number}", receiver=receiver, group_key="g", group_labels=(), seq=number, kind=NoticeKind.FIRING,
        why=Why.FIRST, at=created_at, alerts=(),
    )  # fmt: skip
    return Letter(
        id=told.id, receiver=receiver, group_key="g", seq=number, notification=told, body="", created_at=created_at
    )


def rows(book: Book) -> dict[str, dict[tuple[str, ...], float]]:
    process = Process(0, True, 0, {}, {}, book)
    return {family.name: dict(family.read(process)) for family in ALERT_FAMILIES}


def test_alerts_are_counted_by_state_and_each_firing_one_stands_alone() -> None:
    book = Book()
    put(book, "Failing", State.PENDING, target="prod", severity="critical", task="a")
    put(book, "Failing", State.FIRING, target="prod", severity="critical", task="b", owner="team")
    put(book, "Failing", State.RECOVERING, target="prod", severity="critical", task="c")
    put(book, "Missed", State.FIRING, target="prod", severity="warning", task="d", schedule="sched_1")
    put(book, "Missed", State.FIRING, target="prod", severity="warning", task="d", schedule="sched_2")
    put(book, "NotifierFailing", State.FIRING, severity="critical", receiver="ops")
    found = rows(book)
    assert found["alerts"] == {
        ("prod", "Failing", "pending", "critical"): 1,
        ("prod", "Failing", "firing", "critical"): 1,
        ("prod", "Failing", "recovering", "critical"): 1,
        ("prod", "Missed", "firing", "warning"): 2,
        ("", "NotifierFailing", "firing", "critical"): 1,
    }
    assert found["alert_firing"] == {
        ("prod", "Failing", "critical", "b", "", "team"): 1,
        ("prod", "Failing", "critical", "c", "", ""): 1,
        ("prod", "Missed", "warning", "d", "", ""): 1,
        ("", "NotifierFailing", "critical", "", "", ""): 1,
    }


def test_notifications_by_what_became_of_them_and_what_waits() -> None:
    book = Book()
    book.counts["notifications_total", ("ops", "delivered")] = 7
    book.counts["rule_evaluations_total", ("prod", "Failing", "true")] = 3
    book.set_letter(letter(1, "hook", 5_000))
    book.set_letter(letter(2, "hook", 3_000))
    found = rows(book)
    assert found["notifications_total"] == {("ops", "delivered"): 7}
    assert found["rule_evaluations_total"] == {("prod", "Failing", "true"): 3}
    assert found["notifications_pending"] == {("hook",): 2, ("ops",): 0}
    assert found["notifications_oldest_pending_timestamp_seconds"] == {("hook",): 3}


def test_without_alerts_there_is_nothing_to_show() -> None:
    assert {name: series for name, series in rows(Book()).items() if series} == {}
