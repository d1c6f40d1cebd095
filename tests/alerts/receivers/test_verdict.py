"""What each HTTP answer means, a row each; Retry-After in all its spellings."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from triggerdev_alerts.receivers.door import Reply
from triggerdev_alerts.receivers.port import Fate
from triggerdev_alerts.receivers.verdict import verdict

NOW = 1_760_000_000_000
IN_TWO_MINUTES = format_datetime(datetime.fromtimestamp(NOW / 1000 + 120, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("statuses", "fate"),
    [
        ([200, 201, 202, 204], Fate.DELIVERED),
        ([301, 302, 307, 308, 304], Fate.REFUSED),
        ([400, 401, 403, 404, 405, 413, 422], Fate.REFUSED),
        ([408, 425, 500, 501, 503], Fate.FAILED),
        ([502, 504], Fate.AMBIGUOUS),
        ([410], Fate.GONE),
        ([429], Fate.THROTTLED),
    ],
)
def test_statuses(statuses: list[int], fate: Fate) -> None:
    assert {status: verdict(Reply(status, {}, ""), NOW).fate for status in statuses} == dict.fromkeys(statuses, fate)


@pytest.mark.parametrize(
    ("header", "body", "wait"),
    [
        ("90", "", 90_000),
        ("0.5", "", 500),
        (IN_TWO_MINUTES, "", 120_000),
        ("86400", "", 3_600_000),
        ("-5", "", 0),
        ("soon", "", None),
        ("inf", "", None),
        ("nan", "", None),
        ("", '{"retry_after": 2.5}', 2_500),
        ("", '{"retry_after": "x"}', None),
        ("", "[1]", None),
        ("", "", None),
    ],
)
def test_how_long_to_wait(header: str, body: str, wait: int | None) -> None:
    attempt = verdict(Reply(429, {"retry-after": header} if header else {}, body), NOW)
    assert attempt.retry_at == (None if wait is None else NOW + wait)


def test_an_answer_is_quoted_short_and_tame() -> None:
    attempt = verdict(Reply(400, {}, "bad\r\n\x1b[31mthing " + "x" * 10_000), NOW)
    assert attempt.detail.startswith("HTTP 400: bad [31mthing xxx")
    assert len(attempt.detail) <= 320
    assert attempt.detail.isprintable()
