"""Whose child a run is: from the query, from a retrieve within the share, or from nobody; and whose trace it joins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from otlp_receiver import Received, Receiver, receiving
from story import Story, tell
from tracing_stage import Exporting, digest, exporting, to
from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.config.model import Quota, Traces

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = GIVEN[:-1] + "0"


@asynccontextmanager
async def staged(
    folder: Path, traces: Traces | None = None, profile: str = "v4.5", **changes: Any
) -> AsyncIterator[tuple[Receiver, Story, Exporting]]:
    async with (
        receiving() as receiver,
        tell(folder, profile=profile) as story,
        exporting(story, to(receiver), traces=traces, **changes) as tracer,
    ):
        yield receiver, story, tracer


def family(story: Story, metadata: dict[str, object] | None = None) -> tuple[str, str, str]:
    """A root that goes on, its child and its grandchild, which end now."""
    world = story.world
    root = world.add_run(task="root", status="EXECUTING", metadata=metadata)
    child = world.add_run(task="child", status="COMPLETED", parent_id=root)
    return root, child, world.add_run(task="grandchild", status="COMPLETED", parent_id=child)


def spans_of(receiver: Receiver) -> dict[str, Received]:
    return {each.span.name.removeprefix("run "): each for each in receiver.spans if each.span.name.startswith("run ")}


def requests(tracer: Exporting, endpoint: str) -> float:
    return tracer.daemon.total("api_requests_total", endpoint=endpoint)


async def test_the_query_tells_them_all_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, story, tracer):
        await tracer.daemon.poll()
        root, child, _ = family(story)
        await tracer.let(150)
        found = spans_of(receiver)
        assert found["grandchild"].trace == found["child"].trace == digest(f"trigger.dev/trace/{root}", 16)
        assert found["grandchild"].parent == digest(f"trigger.dev/span/{child}", 8)
        assert requests(tracer, "run") == 0


async def test_where_nobody_may_query_only_children_are_retrieved(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, story, tracer):
        story.faults.on("query", deny=403)
        await tracer.daemon.poll()
        root, child, _ = family(story)
        story.world.add_run(task="single", status="COMPLETED")
        await tracer.let(90)
        found = spans_of(receiver)
        assert found["grandchild"].trace == found["child"].trace == digest(f"trigger.dev/trace/{root}", 16)
        assert found["grandchild"].parent == digest(f"trigger.dev/span/{child}", 8)
        assert found["single"].parent == ""
        assert requests(tracer, "run") == 2


async def test_without_a_share_left_a_run_is_exported_alone_and_counted(tmp_path: Path) -> None:
    quota = Quota(requests_per_minute=12, share=1.0)
    async with staged(tmp_path, quota=quota) as (receiver, story, tracer):
        story.faults.on("query", deny=403)
        story.faults.on("run", status=500)
        await tracer.daemon.poll()
        _, child, _ = family(story)
        await tracer.let(600, step=30)
        found = spans_of(receiver)
        assert found["child"].trace == digest(f"trigger.dev/trace/{child}", 16)
        assert (found["child"].parent, found["grandchild"].parent) == ("", "")
        assert found["child"].attributes["trigger.run.parent_unknown"] is True
        assert tracer.value("spans_amended_total", reason="parent_unknown") == 2


async def test_a_child_that_no_longer_exists_is_not_asked_for_twice(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, story, tracer):
        story.faults.on("query", deny=403)
        await tracer.daemon.poll()
        *_, last = family(story)
        story.clock.advance(65)
        # The newest run is asked for by whoever doubts the list.
        story.world.add_run(task="newer", status="EXECUTING")
        await tracer.daemon.poll()
        story.world.delete_run(last)
        await tracer.let(90)
        assert spans_of(receiver)["grandchild"].parent == ""
        asked = requests(tracer, "run")
        await tracer.let(300)
        assert requests(tracer, "run") == asked


async def test_a_tree_that_grows_too_large_goes_on_in_traces_that_lead_to_its_root(tmp_path: Path) -> None:
    traces = Traces(max_spans_per_trace=100)
    async with staged(tmp_path, traces) as (receiver, story, tracer):
        await tracer.daemon.poll()
        root = story.world.add_run(task="root", status="EXECUTING")
        for _ in range(50):
            story.world.add_run(task="child", status="COMPLETED", parent_id=root)
        await tracer.let(150)
        story.world.change_run(root, "COMPLETED", at=story.clock.now())
        await tracer.let(150)
        whole, top = digest(f"trigger.dev/trace/{root}", 16), digest(f"trigger.dev/span/{root}", 8)
        children = [each for each in receiver.by_id().values() if each.span.name == "run child"]
        inside = [each for each in children if each.trace == whole]
        cut = [each for each in children if each.trace != whole]
        assert (len(inside), len(cut)) == (33, 17)
        assert {each.parent for each in inside} == {top}
        assert {each.parent for each in cut} == {""}
        assert {(link.trace_id.hex(), link.span_id.hex()) for each in cut for link in each.span.links} == {(whole, top)}
        assert spans_of(receiver)["root"].trace == whole
        assert tracer.value("spans_amended_total", reason="trace_full") == 17


async def test_parents_known_while_they_ran_are_not_asked_for(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, story, tracer):
        await tracer.daemon.poll()
        root = story.world.add_run(task="root", status="EXECUTING")
        child = story.world.add_run(task="child", status="EXECUTING", parent_id=root)
        await tracer.let(150)
        story.faults.on("query", status=500)
        story.world.change_run(child, "COMPLETED", at=story.clock.now())
        # As long as the query may tell the times of its wait.
        await tracer.let(200)
        assert spans_of(receiver)["child"].parent == digest(f"trigger.dev/span/{root}", 8)
        assert requests(tracer, "run") == 0


@pytest.mark.parametrize("profile", ["v4.5", "seed"])
async def test_a_tree_joins_the_trace_that_its_root_names(tmp_path: Path, profile: str) -> None:
    traces = Traces(context="metadata:otel")
    async with staged(tmp_path, traces, profile) as (receiver, story, tracer):
        await tracer.daemon.poll()
        root, child, _ = family(story, {"otel": GIVEN, "secret": "s3cret"})
        await tracer.let(150)
        story.world.change_run(root, "COMPLETED", at=story.clock.now())
        await tracer.let(150)
        found = spans_of(receiver)
        assert {each.trace for each in found.values()} == {GIVEN[3:35]}
        assert found["root"].parent == GIVEN[36:52]
        assert found["root"].id == digest(f"trigger.dev/span/{root}", 8)
        assert found["child"].parent == digest(f"trigger.dev/span/{root}", 8)
        assert found["grandchild"].parent == digest(f"trigger.dev/span/{child}", 8)
        assert b"s3cret" not in (tmp_path / "state.db").read_bytes()


async def test_a_child_that_ends_after_its_root_stays_in_its_trace(tmp_path: Path) -> None:
    traces = Traces(context="metadata")
    async with receiving() as receiver, tell(tmp_path) as story:
        async with exporting(story, to(receiver), traces=traces) as tracer:
            await tracer.daemon.poll()
            root = story.world.add_run(task="root", status="EXECUTING", metadata={"traceparent": GIVEN})
            child = story.world.add_run(task="child", status="EXECUTING", parent_id=root)
            await tracer.let(150)
            story.world.change_run(root, "COMPLETED", at=story.clock.now())
            await tracer.let(300)
            assert tracer.pending == 0
        # A restart between: what the root named is known still.
        async with exporting(story, to(receiver), traces=traces) as tracer:
            story.world.change_run(child, "COMPLETED", at=story.clock.now())
            await tracer.let(300)
        assert {each.trace for each in spans_of(receiver).values()} == {GIVEN[3:35]}


@pytest.mark.parametrize("metadata", [None, {}, {"traceparent": GIVEN.upper()}, {"traceparent": 7}])
async def test_metadata_that_is_no_traceparent_is_ignored(tmp_path: Path, metadata: dict[str, object] | None) -> None:
    traces = Traces(context="metadata")
    async with staged(tmp_path, traces) as (receiver, story, tracer):
        await tracer.daemon.poll()
        run = story.world.add_run(task="t", status="COMPLETED", metadata=metadata)
        await tracer.let(150)
        assert spans_of(receiver)["t"].trace == digest(f"trigger.dev/trace/{run}", 16)


async def test_the_flag_of_a_given_context_is_respected(tmp_path: Path) -> None:
    traces = Traces(context="metadata")
    async with staged(tmp_path, traces) as (receiver, story, tracer):
        await tracer.daemon.poll()
        story.world.add_run(task="t", status="COMPLETED", metadata={"traceparent": UNSAMPLED})
        await tracer.let(150)
        assert receiver.spans == []
        assert tracer.value("spans_dropped_total", reason="sampling") == 3


async def test_a_link_leads_to_it_and_the_trace_stays_ours(tmp_path: Path) -> None:
    traces = Traces(context="link:otel")
    async with staged(tmp_path, traces) as (receiver, story, tracer):
        await tracer.daemon.poll()
        run = story.world.add_run(task="t", status="COMPLETED", metadata={"otel": GIVEN})
        await tracer.let(150)
        found = spans_of(receiver)["t"]
        assert (found.trace, found.parent) == (digest(f"trigger.dev/trace/{run}", 16), "")
        (link,) = found.span.links
        assert (link.trace_id.hex(), link.span_id.hex()) == (GIVEN[3:35], GIVEN[36:52])


async def test_half_of_the_trees_are_taken_whole(tmp_path: Path) -> None:
    traces = Traces(sample=0.5)
    async with staged(tmp_path, traces) as (receiver, story, tracer):
        await tracer.daemon.poll()
        trees = [family(story) for _ in range(60)]
        await tracer.let(40)
        for root, *_ in trees:
            story.world.change_run(root, "COMPLETED", at=story.clock.now() + SECOND)
        await tracer.let(200)
        counts = [sum(digest(f"trigger.dev/span/{run}", 8) in receiver.by_id() for run in tree) for tree in trees]
        assert set(counts) == {0, 3}
        assert 15 <= counts.count(3) <= 45
        exported, dropped = tracer.value("spans_exported_total"), tracer.value("spans_dropped_total", reason="sampling")
        assert exported is not None
        assert dropped is not None
        assert exported + dropped == 540
