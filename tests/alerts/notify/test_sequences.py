"""What is told when, as sequences of instants, named after the acceptance rows that they are."""

from __future__ import annotations

from notify_stage import Stage, rules, t
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.rules.model import Flapping


def test_s1_fires_and_clears() -> None:
    stage = Stage()
    alert = stage.fire(t("12:02:00"))
    stage.play(
        {t("12:02:00"): lambda: None, t("12:21:00"): lambda: stage.end(t("12:21:00"), alert)}, until=t("13:00:00")
    )
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:22:30 W resolved (all alerts resolved) -X",
    ]
    assert stage.told[0].alerts[0].starts_at == t("12:02:00")


def test_s12_twelve_alternations() -> None:
    stage = Stage(rules(flapping=Flapping(changes=6, window=HOUR, stable=15 * MINUTE)))
    alerts = []

    def on(at: int) -> None:
        alerts.append(stage.fire(at))

    changes = {}
    for minute in range(30):
        at = t("12:00:00") + minute * MINUTE
        changes[at] = (lambda at=at: on(at)) if minute % 2 == 0 else (lambda at=at: stage.end(at, alerts[-1]))
    stage.play(changes, until=t("14:00:00"))
    assert [line.split(" +")[0].split(" -")[0] for line in stage.lines] == [
        "12:00:30 W firing (first notification)",
        "12:05:30 W flapping (flapping)",
        "12:45:30 W resolved (all alerts resolved)",
    ]


def test_t10_repeats_at_its_own_instant() -> None:
    stage = Stage()
    stage.fire(t("12:02:00"))
    stage.run(t("23:00:00"), t("12:02:00"))
    assert [line[:8] for line in stage.lines] == ["12:02:30", "16:02:30", "20:02:30"]
