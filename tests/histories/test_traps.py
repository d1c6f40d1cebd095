"""Histories that once lost a run, or would have: each a trap of its own, told exactly."""

from __future__ import annotations

import pytest

from histories.history import Ail, History, Let, Life, Poll, Restart, Setting, Step, Stumble
from histories.test_one_watcher import check

EMAIL = Life("send-email", born=10.0, waits=1.0, lasts=5.0, status="COMPLETED")
PAGE_TWO_FAILS = Stumble("runs", (False, False, True, True, True))


def email(born: float, **fields: float) -> Life:
    return Life("send-email", born, waits=1.0, lasts=5.0, status="COMPLETED", **fields)  # type: ignore[arg-type]


TRAPS: dict[str, tuple[tuple[Life, ...], tuple[Step, ...]]] = {
    # Listed while we were away for longer than a sweep is deep, created before we left.
    "late while we were away": (
        (email(10.0), email(3_500.0), email(3_000.0, late=7_200.0)),
        (Let(3_600), Poll(), Let(43_200), Poll()),
    ),
    # The first page of a catch-up is read; then the view says "nothing" for a while. The gap is not closed by that.
    "a catch-up meets a silently empty view": (
        tuple(email(float(born)) for born in range(0, 30_000, 3_000)),
        (Let(40_000), PAGE_TWO_FAILS, Poll(), Let(30), Ail(empty=True), Poll(), Let(30), Poll(), Ail(), Poll()),
    ),
    # The same, and the view is only behind.
    "a catch-up meets a lagging view": (
        tuple(email(float(born)) for born in range(0, 30_000, 3_000)),
        (Let(40_000), PAGE_TWO_FAILS, Poll(), Let(30), Ail(lag=39_000), Poll(), Let(30), Poll(), Ail(), Poll()),
    ),
    # Nothing was listed yet when we began; what comes later is older than our first look.
    "a view that is empty at first": (
        (email(-600.0), email(20.0)),
        (Ail(empty=True), Poll(), Let(600), Poll(), Let(43_200), Ail(), Poll()),
    ),
    # The sweep meets a view that is silently empty: it has swept nothing.
    "a sweep meets a silently empty view": (
        (email(10.0), email(3_400.0), email(3_000.0, late=14_000.0)),
        (Let(3_500), Poll(), Let(9_000), Ail(empty=True), *((Let(3_700), Poll()) * 4), Ail()),
    ),
    "a restart in the middle of a catch-up": (
        tuple(email(float(born)) for born in range(0, 30_000, 3_000)),
        (Let(40_000), PAGE_TWO_FAILS, Poll(), Restart(), PAGE_TWO_FAILS, Poll(), Restart(), Poll()),
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("date_off", [0.0, 300.0, -300.0])
async def test_no_run_is_lost_in(trap: str, date_off: float) -> None:
    lives, steps = TRAPS[trap]
    await check(History(Setting(page=2, date_off=date_off), lives, steps))
