"""How pages show instants, durations and states: the filters of the templates. Pure, and escaped by the template.

A state's mood is one of five: it chooses the sign and the colour; the word always stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.values import show_duration, show_instant
from triggerdev_alerts.notify.matcher_text import format_matchers, parse_words
from triggerdev_exporter.readings.why import WELL, coarse
from triggerdev_exporter.web.alert_views import AlertView
from triggerdev_exporter.web.sparkline import sparkline
from triggerdev_exporter.web.task_views import BarView, TimingView

_BAD = (
    "failing expired stuck_starting no_version nothing_dequeues late_schedule blind unreachable stale error firing "
    "dead disabled refused"
)
_ODD = (
    "cannot_see paused queue_limit environment_limit waits retrying canceled failing_partly last_failed slow pending "
    "recovering queued sending"
)
_MOODS: Mapping[str, str] = {
    **dict.fromkeys(_BAD.split(), "bad"),
    **dict.fromkeys(_ODD.split(), "odd"),
    **dict.fromkeys([leaf.value for leaf in WELL], "well"),
    **dict.fromkeys(("ok", "sent", "active"), "well"),
    **dict.fromkeys("not_triggered not_available off no_data superseded".split(), "idle"),
}
_RUNBOOK = re.compile(r"alerts/runbooks/([A-Za-z0-9]+)\.md")
_SEVERITIES = {"critical": "bad", "warning": "odd"}


def mood(state: str) -> str:
    """``bad``, ``odd``, ``well``, ``idle`` or ``unknown``, of any state that the API tells."""
    return _MOODS.get(state, "unknown")


def severity(name: str | None) -> str:
    return _SEVERITIES.get(name or "", "idle")


def words(state: str) -> str:
    return state.replace("_", " ")


def thousands(number: int) -> str:
    return f"{number:,}"


def clock(at: str) -> str:
    """``2026-11-24 12:02 UTC``."""
    return show_instant(_instant(at))


def second(at: str) -> str:
    """``2026-11-24 12:02:07 UTC``."""
    return f"{datetime.fromtimestamp(_instant(at) / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def lasts(since: str, at: str) -> str:
    """``18 min``, ``12 s``."""
    return coarse(_instant(at) - _instant(since))


def ago(then: str, at: str) -> str:
    passed = _instant(at) - _instant(then)
    return "just now" if passed < 1000 else f"{coarse(passed)} ago"


def until(then: str, at: str) -> str:
    left = _instant(then) - _instant(at)
    return "now" if left < 1000 else f"in {coarse(left)}"


def percent(number: float) -> str:
    """``10%``, ``2.5%``."""
    return f"{number:g}%"


def duration(milliseconds: float) -> str:
    return show_duration(milliseconds)


def timing(one: TimingView) -> str:
    """``half within 500 ms, 95 of 100 within 5 s``."""
    return f"half {_within(one.half_ms)}, 95 of 100 {_within(one.most_ms)}"


def _within(bound: int | None) -> str:
    return "longer than can be told" if bound is None else f"within {show_duration(bound)}"


def spark(bars: Sequence[BarView | None], name: str, *, wide: bool = False) -> Markup:
    told = [bar for bar in bars if bar is not None]
    ended, failed = sum(bar.ended for bar in told), sum(bar.failed for bar in told)
    says = f"{name}: {ended} ended and {failed} failed" if told else f"{name}: nobody can say"
    return sparkline(bars, says, wide=wide)


def query(parameters: Mapping[str, str], **changes: object) -> str:
    """The query with some of it changed; what is empty is left out."""
    wanted = {**parameters, **{name: str(value) for name, value in changes.items()}}
    return urlencode({name: value for name, value in wanted.items() if value})


def task_path(task: str) -> str:
    return f"/tasks/{quote(task, safe='')}"


def is_web(url: str | None) -> bool:
    """Whether a link may lead there: what an annotation or an API says could be anything."""
    if not url:
        return False
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def runbook(value: str) -> str:
    """The name of the shipped page that an annotation means; empty if it means another."""
    match = _RUNBOOK.fullmatch(value)
    return match[1] if match is not None else ""


def silencing(alert: AlertView) -> str:
    """The matchers that silence it and stay right when its owner or severity is edited."""
    labels = {name: value for name, value in alert.labels.items() if name not in ("severity", "owner") and value}
    return format_matchers(parse_words([f"{name}={value}" for name, value in labels.items()]))


def _instant(text: str) -> Instant:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


FILTERS: Mapping[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        ago,
        clock,
        duration,
        is_web,
        lasts,
        mood,
        percent,
        query,
        runbook,
        second,
        severity,
        silencing,
        spark,
        task_path,
        thousands,
        timing,
        until,
        words,
    )
}
