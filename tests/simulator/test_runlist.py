"""Walks over the lagging index, against a plain reading of all runs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.simulator.entities import Run
from triggerdev_exporter.simulator.index import Place
from triggerdev_exporter.simulator.runlist import RunFilter, page_after, page_before
from triggerdev_exporter.simulator.world import World

START = 1_795_458_600_000
STATUSES = ["QUEUED", "EXECUTING", "WAITING", "COMPLETED", "FAILED"]
DATABASE = ["PENDING", "EXECUTING", "WAITING_TO_RESUME", "COMPLETED_SUCCESSFULLY", "COMPLETED_WITH_ERRORS"]

scripts = st.lists(
    st.tuples(
        st.integers(0, 20),  # created, seconds after the start
        st.integers(0, 15),  # runs so long
        st.integers(0, 10),  # becomes visible so late
        st.sampled_from(STATUSES),
        st.sampled_from("abc"),
    ),
    max_size=25,
)


def scripted(script: list[tuple[int, int, int, str, str]]) -> World:
    world = World(start=START)
    for created, lasts, late, status, task in script:
        born = START + created * SECOND
        end = born + lasts * SECOND
        world.add_run(
            task=task,
            status=status,
            created_at=born,
            finished_at=end if status in {"COMPLETED", "FAILED"} else None,
            visible_at=born + late * SECOND,
        )
    return world


def walk(world: World, wanted: RunFilter, size: int, seen_at: int) -> list[str]:
    """All pages, with the count of pages bounded by the count of runs."""
    ids: list[str] = []
    below: Place | None = None
    for _ in range(len(world.runs) + 1):
        page = page_after(world, wanted, size, below, seen_at, deeper=below is not None)
        assert len(page.runs) <= size
        ids += [run.id for run in page.runs]
        below = page.next
        if below is None:
            return ids
    raise AssertionError("the walk does not end")


filters = st.builds(
    RunFilter,
    statuses=st.none() | st.frozensets(st.sampled_from(DATABASE), min_size=1),
    tasks=st.none() | st.frozensets(st.sampled_from("abc"), min_size=1),
    oldest=st.none() | st.integers(START, START + 20 * SECOND),
    newest=st.none() | st.integers(START, START + 20 * SECOND),
)


@given(script=scripts, wanted=filters, size=st.integers(1, 6), now=st.integers(0, 40), lag=st.integers(0, 20))
@settings(max_examples=200)
def test_a_walk_is_a_plain_reading(
    script: list[tuple[int, int, int, str, str]], wanted: RunFilter, size: int, now: int, lag: int
) -> None:
    world = scripted(script)
    world.advance(START + now * SECOND)
    seen_at = world.now - lag * SECOND

    def belongs(run: Run) -> bool:
        return (
            run.visible_at <= seen_at
            and (wanted.statuses is None or {run.status_at(seen_at), run.status} <= wanted.statuses)
            and (wanted.tasks is None or run.task in wanted.tasks)
            and (wanted.oldest is None or run.created_at >= wanted.oldest)
            and (wanted.newest is None or run.created_at <= wanted.newest)
        )

    plain = sorted((run.created_at, run.key) for run in world.runs.values() if belongs(run))
    assert walk(world, wanted, size, seen_at) == ["run_" + key for _, key in reversed(plain)]


@given(script=scripts, size=st.integers(1, 6))
@settings(max_examples=50)
def test_going_back_undoes_going_on(script: list[tuple[int, int, int, str, str]], size: int) -> None:
    world = scripted(script)
    world.advance(START + 60 * SECOND)
    first = page_after(world, RunFilter(), size, None, world.now, deeper=False)
    if first.next is None:
        return
    second = page_after(world, RunFilter(), size, first.next, world.now, deeper=True)
    assert second.previous is not None
    back = page_before(world, RunFilter(), size, second.previous, world.now, ascending=True)
    assert back.runs[::-1] == first.runs
