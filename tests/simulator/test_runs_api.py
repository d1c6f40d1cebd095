"""``GET /api/v1/runs`` and ``/api/v3/runs/{id}`` of the real server: walks, windows, quirks, words of refusal."""

from __future__ import annotations

from itertools import chain
from typing import Any
from urllib.parse import quote

import pytest

from simulator.conftest import START, Client, Open
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND, ScaledClock, iso
from triggerdev_exporter.simulator.runlist import read_cursor, write_cursor
from triggerdev_exporter.simulator.scenario import busy
from triggerdev_exporter.simulator.spellings import REAL_FILTERS, SPELLINGS
from triggerdev_exporter.simulator.world import World

VERSION = {"x_trigger_api_version": "2025-07-16"}


async def walk(client: Client, query: str = "", limit: int = 1000) -> list[list[str]]:
    """All pages, as lists of ids."""
    pages: list[list[str]] = []
    after = ""
    while len(pages) < limit:
        status, body = await client.ask(f"/api/v1/runs?{query}{after}")
        assert status == 200, body
        pages.append([run["id"] for run in body["data"]])
        cursor = body["pagination"].get("next")
        if cursor is None:
            break
        after = f"&page[after]={cursor}"
    return pages


@pytest.mark.parametrize("profile", ["v4.4", "v4.5", "latest"])
async def test_a_walk_meets_every_run_once(open_simulator: Open, profile: str) -> None:
    world = World(busy(preload=250), 1, START)
    client = await open_simulator(profile=profile, world=world)
    pages = await walk(client, "page[size]=100")
    assert [len(page) for page in pages] == [100, 100, 50]
    assert sorted(chain(*pages)) == sorted(run.id for run in world.runs.values())


@pytest.mark.parametrize("size", [1, 3, 4, 8, 100])
async def test_a_burst_of_one_millisecond_is_not_split_wrongly(client: Client, size: int) -> None:
    made = [client.running.world.add_run(task="a", created_at=START) for _ in range(8)]
    pages = await walk(client, f"page[size]={size}")
    assert sorted(chain(*pages)) == sorted(made)
    assert list(chain(*pages)) == sorted(made, reverse=True)


async def test_runs_that_arrive_during_a_walk_do_not_disturb_it(client: Client) -> None:
    world = client.running.world
    old = [world.add_run(task="a", created_at=START - number) for number in range(6)]
    _, body = await client.ask("/api/v1/runs?page[size]=3")
    world.add_run(task="a", created_at=START)
    rest = await client.ids(f"/api/v1/runs?page[size]=3&page[after]={body['pagination']['next']}")
    assert [run["id"] for run in body["data"]] + rest == old


async def test_pages_go_back_in_ascending_order(client: Client) -> None:
    made = [client.running.world.add_run(task="a", created_at=START - number) for number in range(9)]
    _, first = await client.ask("/api/v1/runs?page[size]=3")
    _, second = await client.ask(f"/api/v1/runs?page[size]=3&page[after]={first['pagination']['next']}")
    _, back = await client.ask(f"/api/v1/runs?page[size]=3&page[before]={second['pagination']['previous']}")
    assert [run["id"] for run in back["data"]] == made[:3][::-1]
    assert "previous" not in back["pagination"]


async def test_no_cursor_that_a_server_could_refuse_is_refused(client: Client) -> None:
    made = client.running.world.add_run(task="a")
    for cursor in ("garbage", "run_x", "%7B%7D", "eyJjIjoxfQ", "....", write_cursor((START, "x")) + "AAAA"):
        assert await client.ids(f"/api/v1/runs?page[after]={cursor}") in ([made], [])


def test_cursors_are_read_as_written() -> None:
    assert read_cursor(write_cursor((5, "cabc"))) == (5, "cabc")
    assert read_cursor("eyJjIjoxNzk1NDU4NTUxOTk2LCJyIjoiY213dGxueDU1MDBsbWY0N2RmM2FjNnEwNiJ9") == (
        1795458551996,
        "cmwtlnx5500lmf47df3ac6q06",
    )


# ── windows and filters ───────────────────────────────────────────────────────────────────────────────────────────────


def _from(at: int | str) -> str:
    return f"filter[createdAt][from]={at}"


def _to(at: int | str) -> str:
    return f"filter[createdAt][to]={at}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),  # the last seven days
        (_from(START - 30 * DAY), "abcd"),  # `from` lifts the default
        (_from(START - HOUR), "ab"),  # inclusive
        (_from(START - HOUR + 1), "a"),
        (_from(iso(START - HOUR)), "ab"),
        (_to(START - HOUR), "bcd"),  # `to` alone has no lower bound, and is inclusive
        (_to(START + DAY), "abcd"),
        (_from(START - 2 * DAY) + "&" + _to(START - MINUTE), "bc"),
        ("filter[createdAt][period]=90m", "ab"),
        ("filter[createdAt][period]=1 day", "abc"),
        ("filter[createdAt][period]=1h&" + _from(0), "ab"),  # the period wins
        ("filter[createdAt][period]=nonsense", "abcd"),  # unreadable: no bound at all
        ("filter[createdAt.from]=" + iso(START), "abc"),  # the seed's spelling is ignored
        ("nonsense=1&filter[status][]=QUEUED", "abc"),
        (_from(START - HOUR) + "&" + _from(START - 1), "a"),  # the last value wins
        ("filter[taskIdentifier]=", "abc"),  # empty is absent
        ("filter[taskIdentifier]=b,c", "bc"),
        ("filter[taskIdentifier]=b&filter[taskIdentifier]=c", "c"),
        ("filter[tag]=x,z", "a"),
        ("filter[isTest]=true", "b"),
        ("filter[isTest]=false", "ac"),
        ("filter[version]=20261123.1", "c"),
        ("filter[queue]=emails", "c"),
        ("filter[queue]=task/a", "a"),
        ("filter[queue]=queue/emails", ""),
        ("filter[machine]=micro,large-1x", "a"),
        ("filter[region]=moon", "b"),
        ("filter[batch]=batch_1", "b"),
        ("filter[batch]=batch_unknown", ""),
        ("filter[schedule]=sched_1", "a"),
        ("filter[status]=QUEUED", "ac"),
        ("filter[status]=QUEUED,EXECUTING", "abc"),
    ],
)
async def test_windows_and_filters(client: Client, query: str, expected: str) -> None:
    world = client.running.world
    world.add_batch(id="batch_1")
    world.add_schedule(id="sched_1", task="a", cron="0 0 1 1 *", active=False)
    names = {
        world.add_run(task="a", tags=("x", "y"), machine="micro", schedule_id="sched_1"): "a",
        world.add_run(
            task="b", created_at=START - HOUR, is_test=True, region="moon", batch_id="batch_1", status="EXECUTING"
        ): "b",
        world.add_run(task="c", created_at=START - DAY, version="20261123.1", queue="emails"): "c",
        world.add_run(task="d", created_at=START - 8 * DAY): "d",
    }
    told = await client.ids("/api/v1/runs?" + quote(query, safe="[]=&,%+"))
    assert "".join(sorted(names[run] for run in told)) == expected


@pytest.mark.parametrize("word", sorted(REAL_FILTERS))
async def test_each_status_filter_is_narrow(client: Client, word: str) -> None:
    world = client.running.world
    made = {world.add_run(task="a", status=status, created_at=START): status for status in SPELLINGS}
    told = await client.ids(f"/api/v1/runs?page[size]=100&filter[status]={word}")
    assert {made[run] for run in told} == REAL_FILTERS[word]


@pytest.mark.parametrize(
    ("query", "issue"),
    [
        ("filter[status]=COMPLETED_SUCCESSFULLY", {"code": "custom", "path": ["filter[status]"]}),
        ("filter[status]=QUEUED,%20EXECUTING", {"message": "Invalid status values:  EXECUTING"}),
        ("page[size]=101", {"code": "too_big", "maximum": 100}),
        ("page[size]=0", {"code": "too_small", "minimum": 0, "inclusive": False}),
        ("page[size]=x", {"code": "invalid_type", "received": "nan"}),
        ("filter[createdAt][from]=yesterday", {"code": "invalid_date"}),
        ("filter[isTest]=yes", {"path": ["filter[isTest]"]}),
        ("filter[machine]=huge", {"path": ["filter[machine]"]}),
    ],
)
async def test_refusals(client: Client, query: str, issue: dict[str, Any]) -> None:
    status, body = await client.ask("/api/v1/runs?" + query)
    assert (status, body["error"]) == (400, "Query Error")
    assert body["details"][0].items() >= issue.items()


# ── statuses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", sorted(SPELLINGS))
async def test_a_status_is_told_by_the_version_header(client: Client, status: str) -> None:
    run_id = client.running.world.add_run(task="a", status=status)
    _, dated = await client.ask(f"/api/v3/runs/{run_id}", **VERSION)
    _, undated = await client.ask(f"/api/v3/runs/{run_id}", x_trigger_api_version="2020-01-01")
    assert (dated["status"], undated["status"]) == (SPELLINGS[status].dated, SPELLINGS[status].undated)


@pytest.mark.parametrize(
    ("status", "true"),
    [
        ("TIMED_OUT", set()),
        ("EXPIRED", set()),
        ("CANCELED", {"isCompleted", "isFailed", "isCancelled"}),
        ("WAITING", {"isWaiting"}),
        ("DEQUEUED", {"isExecuting"}),
        ("PENDING_VERSION", {"isQueued"}),
        ("COMPLETED", {"isCompleted", "isSuccess"}),
    ],
)
async def test_the_booleans_have_their_holes(client: Client, status: str, true: set[str]) -> None:
    client.running.world.add_run(task="a", status=status)
    _, body = await client.ask("/api/v1/runs", **VERSION)
    told = {name: value for name, value in body["data"][0].items() if isinstance(value, bool) and name != "isTest"}
    assert len(told) == 7
    assert {name for name, value in told.items() if value} == true


async def test_an_odd_status_is_told_as_it_is(client: Client) -> None:
    client.running.world.add_run(task="a", status="QUANTUM")
    _, body = await client.ask("/api/v1/runs", **VERSION)
    assert body["data"][0]["status"] == "QUANTUM"


async def test_an_absent_value_is_an_absent_key(client: Client) -> None:
    client.running.world.add_run(task="a")
    _, body = await client.ask("/api/v1/runs")
    assert None not in body["data"][0].values()
    assert body["pagination"] == {}


async def test_a_run_cancelled_before_it_began_ends_only_in_the_list(client: Client) -> None:
    run_id = client.running.world.add_run(task="a", status="CANCELED")
    _, listed = await client.ask("/api/v1/runs")
    _, retrieved = await client.ask(f"/api/v3/runs/{run_id}")
    assert listed["data"][0]["finishedAt"] == iso(START)
    assert "finishedAt" not in retrieved


async def test_older_servers_tell_less(open_simulator: Open) -> None:
    client = await open_simulator(profile="v4.4")
    client.running.world.add_run(task="a")
    _, body = await client.ask("/api/v1/runs")
    assert not {"taskKind", "region"} & body["data"][0].keys()
    assert (await client.ask("/api/v1/deployments/current"))[0] == 404


async def test_the_old_cursor_is_an_id_and_a_public_id_loops(open_simulator: Open) -> None:
    """``run_id < 'run_…'`` matches everything: the legacy trap."""
    client = await open_simulator(profile="v4.4")
    for number in range(4):
        client.running.world.add_run(task="a", created_at=START - 4 + number)
    _, body = await client.ask("/api/v1/runs?page[size]=2")
    assert body["pagination"]["next"] == body["data"][-1]["id"].removeprefix("run_")
    _, looped = await client.ask("/api/v1/runs?page[size]=2&page[after]=" + body["data"][-1]["id"])
    assert [run["id"] for run in looped["data"]] == [run["id"] for run in body["data"]]


async def test_the_old_cursor_skips_what_was_made_after_an_early_run(open_simulator: Open) -> None:
    """The list is ordered by createdAt, and goes on with smaller ids: a schedule's run has an old id and a new date."""
    client = await open_simulator(profile="v4.4")
    world, clock = client.running.world, client.running.scaled
    early = world.add_run(task="a", created_at=START + 20 * SECOND, visible_at=START)
    clock.set(now=START + 10 * SECOND)
    world.advance(clock.now())
    between = world.add_run(task="a")
    _, first = await client.ask("/api/v1/runs?page[size]=1")
    assert [run["id"] for run in first["data"]] == [early]
    _, second = await client.ask("/api/v1/runs?page[size]=1&page[after]=" + first["pagination"]["next"])
    assert second["data"] == [], f"{between} is skipped"


# ── the lagging view ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_view_lags_but_tells_bodies_of_now(client: Client) -> None:
    """A run that ended meanwhile is still among the open ones in the index, and is dropped when its row is read."""
    world, clock = client.running.world, client.running.scaled
    ended = world.add_run(task="a", status="EXECUTING", created_at=START)
    still = world.add_run(task="a", status="EXECUTING", created_at=START - 1)
    clock.set(now=START + 60 * SECOND)
    world.advance(clock.now())
    world.change_run(ended, "COMPLETED")
    fresh = world.add_run(task="a", status="QUEUED")
    client.running.faults.view_lag_s = 30
    listed = await client.ids("/api/v1/runs")
    assert listed == [ended, still]  # the fresh one is not there yet
    _, body = await client.ask("/api/v1/runs")
    assert body["data"][0]["status"] == "COMPLETED"  # told as it is now
    _, page = await client.ask("/api/v1/runs?filter[status]=EXECUTING&page[size]=1")
    assert page["data"] == []  # short, with a next
    assert await client.ids("/api/v1/runs?filter[status]=EXECUTING&page[after]=" + page["pagination"]["next"]) == [
        still
    ]
    assert await client.ids("/api/v1/runs?filter[status]=COMPLETED") == []  # in neither, for a while
    assert (await client.ask(f"/api/v3/runs/{fresh}"))[0] == 200  # the live plane knows
    clock.set(now=START + 95 * SECOND)
    assert await client.ids("/api/v1/runs?filter[status]=COMPLETED") == [ended]
    assert await client.ids("/api/v1/runs") == [fresh, ended, still]


# ── size ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_costs_the_same_among_100_000_runs(open_simulator: Open) -> None:
    """The newest page, a deep page and the open runs: less than five times what they cost among 1,000 runs."""
    costs: list[list[float]] = []
    for count in (1_000, 100_000):
        world = World(busy(preload=count), 1, START)
        for number in range(50):
            world.add_run(task="a", status="EXECUTING", created_at=START - number * 1000)
        client = await open_simulator(world=world, clock=ScaledClock(speed=0, start=START), quota=None)
        middle = write_cursor(world.index.order[count // 2])
        queries = ("page[size]=50", f"page[size]=50&page[after]={middle}", "page[size]=50&filter[status]=EXECUTING")
        costs.append([await _cost(client, "/api/v1/runs?" + query) for query in queries])
    small, large = costs
    ratios = [big / little for little, big in zip(small, large, strict=True)]
    assert max(ratios) < 5, ratios


async def _cost(client: Client, path: str) -> float:
    """The least time of several tries, in the units of this machine."""
    clock = ScaledClock()
    tries = []
    for _ in range(7):
        begin = clock.monotonic()
        assert len(await client.ids(path)) == 50
        tries.append(clock.monotonic() - begin)
    return min(tries)
