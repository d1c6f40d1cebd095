"""Walks and gaps: nothing is skipped, whatever fails, and a covered time is read no more than the overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.facts import Coverage, Gap

T = 1_800_000_000_000


def fresh() -> Coverage:
    return cover.begin(T, HOUR)


def test_the_first_walk_goes_back_as_far_as_the_look_back() -> None:
    assert cover.head_walk(fresh(), T).floor == T - HOUR


def test_later_walks_stop_an_overlap_below_what_is_covered() -> None:
    covered, rest = cover.after_page(
        fresh(), cover.head_walk(fresh(), T), oldest=T - 50, newest=T - 10, cursor=None, now=T
    )
    assert rest is None
    assert covered.looked_back
    assert cover.head_walk(covered, T + 30 * SECOND).floor == T - 10 - MINUTE


def test_a_run_listed_before_its_created_at_does_not_pull_the_floor_up() -> None:
    # Scheduled runs are listed up to 30 s early; the floor stays 60 s behind the server's clock of the last walk.
    covered, _ = cover.after_page(
        fresh(), cover.head_walk(fresh(), T), oldest=T, newest=T + 30 * SECOND, cursor=None, now=T
    )
    assert cover.head_walk(covered, T + 30 * SECOND).floor == T - MINUTE


def test_a_failed_page_leaves_its_gap_and_the_next_walk_begins_above_it() -> None:
    walk = cover.head_walk(fresh(), T)
    covered, rest = cover.after_page(fresh(), walk, oldest=T - 500, newest=T - 1, cursor="c1", now=T)
    assert rest is not None
    assert covered.gaps == (Gap(start=T - HOUR, end=T - 500, since=T, cursor="c1"),)
    assert not covered.looked_back
    # the next tick: its own head walk is above, and the gap goes on from its cursor
    assert cover.head_walk(covered, T + 30_000).floor == T - 1 - MINUTE
    assert cover.gap_walk(covered.gaps[0]).cursor == "c1"
    assert cover.complete_until(covered) == T - HOUR
    done, rest = cover.after_page(
        covered, cover.gap_walk(covered.gaps[0]), oldest=T - HOUR, newest=T - 600, cursor=None, now=T + 30_000
    )
    assert rest is None
    assert done.gaps == ()
    assert done.looked_back


def test_an_empty_page_with_a_cursor_goes_on() -> None:
    covered, rest = cover.after_page(fresh(), cover.head_walk(fresh(), T), oldest=None, newest=None, cursor="c1", now=T)
    assert rest is not None
    assert rest.cursor == "c1"
    assert covered.gaps[0].end == T


def test_a_page_of_runs_that_are_still_to_come_does_not_end_below_itself() -> None:
    # A thousand customers' schedules of the same minute are listed up to 30 s before it: pages full of the future.
    soon = T + 20 * SECOND
    _, rest = cover.after_page(fresh(), cover.head_walk(fresh(), T), oldest=soon, newest=soon, cursor="c", now=T)
    assert rest is not None
    assert rest.gap is not None
    assert rest.gap.end == soon


def test_gaps_that_touch_become_one_and_the_walk_goes_through_both() -> None:
    old = Gap(start=T - HOUR, end=T - 20 * MINUTE, since=T - MINUTE, cursor="old")
    covered = Coverage(tail=T - HOUR, newest=T - 21 * MINUTE, walked_at=T - 21 * MINUTE, gaps=(old,))
    walk = cover.head_walk(covered, T)
    covered, rest = cover.after_page(covered, walk, oldest=T - MINUTE, newest=T, cursor="new", now=T)
    assert covered.gaps == (Gap(start=T - HOUR, end=T - MINUTE, since=T - MINUTE, cursor="new"),)
    assert rest is not None
    assert (rest.floor, rest.cursor) == (T - HOUR, "new")


def test_a_cursor_that_the_server_forgot_is_read_again_from_the_top() -> None:
    gap = Gap(start=T - HOUR, end=T - 500, since=T - 5, cursor="c1")
    covered = Coverage(tail=T - HOUR, walked_at=T, gaps=(gap,))
    assert cover.without_cursor(covered, gap, T).gaps == (Gap(start=T - HOUR, end=T, since=T - 5),)


def test_a_sweep_is_due_once_an_hour_and_only_when_nothing_is_missing() -> None:
    covered = Coverage(tail=T - 9 * HOUR, walked_at=T, looked_back=True, swept_at=T - HOUR)
    sweep = cover.sweep_walk(covered, T)
    assert sweep is not None
    assert sweep.floor == T - 6 * HOUR
    begun, rest = cover.after_page(covered, sweep, oldest=T - 50, newest=T, cursor="c", now=T)
    assert begun.gaps == ()
    assert begun.sweep is not None
    assert rest is not None
    done, rest = cover.after_page(begun, rest, oldest=T - 5 * HOUR, newest=T, cursor=None, now=T)
    assert (done.sweep, done.swept_at, rest) == (None, T, None)
    assert cover.sweep_walk(done, T + HOUR - 1) is None


def test_catching_up_shows_only_gaps_older_than_two_intervals() -> None:
    covered = Coverage(tail=0, walked_at=T, gaps=(Gap(start=1, end=2, since=T),))
    assert not cover.catching_up(covered, 30 * SECOND, T + 60 * SECOND)
    assert cover.catching_up(covered, 30 * SECOND, T + 61 * SECOND)


def test_the_overlap_follows_the_lateness_seen_and_comes_back_slowly() -> None:
    covered = Coverage(tail=0)
    assert cover.adapted_overlap(covered, 45 * SECOND) == 90 * SECOND
    late = Coverage(tail=0, overlap=10 * MINUTE)
    assert cover.adapted_overlap(late, 0) == 9 * MINUTE
    assert cover.adapted_overlap(late, 3 * HOUR) == HOUR


@given(
    st.lists(st.integers(0, 4_000), max_size=60, unique=True),
    st.integers(1, 7),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=25),
)
def test_every_run_is_read_however_the_walks_are_cut_short(
    births: list[int], size: int, ticks: list[tuple[int, bool]]
) -> None:
    """Runs come to be over time; each tick reads a few pages of the head and of the gaps, and may fail at any page."""
    runs = sorted(T + birth * 100 for birth in births)
    covered = cover.begin(T, 0)
    read: set[int] = set()

    def fetch(walk: cover.Walk, now: int) -> tuple[list[int], str | None]:
        below = [at for at in runs if walk.floor <= at <= now and (walk.cursor is None or at < int(walk.cursor))]
        page = sorted(below, reverse=True)[:size]
        return page, str(page[-1]) if len(below) > size else None

    def go(walk: cover.Walk | None, now: int, most: int) -> None:
        nonlocal covered
        while walk is not None and most > 0:
            page, cursor = fetch(walk, now)
            read.update(page)
            covered, walk = cover.after_page(
                covered, walk, oldest=min(page, default=None), newest=max(page, default=None), cursor=cursor, now=now
            )
            most -= 1

    now = T
    for pages, with_gaps in ticks:
        now += 20 * SECOND
        go(cover.head_walk(covered, now), now, pages)
        for gap in covered.gaps if with_gaps else ():
            go(cover.gap_walk(gap), now, pages)
    now = T + 400 * SECOND + MINUTE
    go(cover.head_walk(covered, now), now, 1_000)
    for _ in range(50):
        for gap in covered.gaps:
            go(cover.gap_walk(gap), now, 1_000)
    assert covered.gaps == ()
    assert read == set(runs)
