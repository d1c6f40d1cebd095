"""What spans a run or batch becomes: intervals, parents, links, statuses, attributes, and what odd rows get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from span_rows import AT, a_batch, a_due, by_name
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.ids import span_id, trace_id
from triggerdev_exporter.spans.plan import Mode, Shape, how_many, plan, trace_of, tree_of
from triggerdev_exporter.spans.span import Kind, Link, Parent
from triggerdev_exporter.spans.times import times_reversed
from triggerdev_exporter.statuses import TERMINAL

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_run_is_a_consumer_span_with_its_wait_and_its_work_below() -> None:
    spans = plan(a_due(), Shape())
    assert [(span.name, span.kind, span.start - AT, span.end - AT) for span in spans] == [
        ("run send-email", Kind.CONSUMER, 0, 1_250),
        ("queue task/send-email", Kind.INTERNAL, 0, 250),
        ("execute send-email", Kind.INTERNAL, 250, 1_250),
    ]
    assert {span.trace_id for span in spans} == {trace_id("run_cm0abc")}
    assert [span.span_id for span in spans] == [
        span_id("run_cm0abc"),
        span_id("run_cm0abc", "queue"),
        span_id("run_cm0abc", "execute"),
    ]
    assert [span.parent for span in spans] == [None, *[Parent(span_id("run_cm0abc"), False)] * 2]


def test_a_child_hangs_below_its_parent_in_the_trace_of_its_root() -> None:
    child, *_ = plan(a_due(run_id="run_3", depth=2, parent_id="run_2", root_id="run_1"), Shape())
    assert (child.trace_id, child.parent) == (trace_id("run_1"), Parent(span_id("run_2"), True))
    assert child.attributes["trigger.run.root_id"] == "run_1"


def test_a_run_whose_parent_nobody_knows_is_a_root_that_says_so() -> None:
    orphan, *_ = plan(a_due(run_id="run_3", depth=2, orphaned=True), Shape())
    assert (orphan.trace_id, orphan.parent) == (trace_id("run_3"), None)
    assert orphan.attributes["trigger.run.parent_unknown"] is True


def test_a_delay_comes_before_the_wait() -> None:
    spans = by_name(plan(a_due(delayed_until=100), Shape()))
    assert (spans["delay"].start, spans["delay"].end) == (AT, AT + 100)
    assert (spans["queue"].start, spans["queue"].end) == (AT + 100, AT + 250)
    assert spans["run"].attributes["trigger.queue.wait_ms"] == 150


def test_a_delay_that_was_cut_short_ends_with_it() -> None:
    spans = by_name(plan(a_due("CANCELED", started_at=None, finished_at=50, delayed_until=100), Shape()))
    assert spans["delay"].end == AT + 50
    assert "queue" not in spans


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"queued_at": 10, "dequeued_at": 240}, (10, 240)),
        ({"queued_at": 400, "dequeued_at": 500}, (0, 250)),  # queued again, for another attempt
        ({"queued_at": -5}, (0, 250)),
    ],
)
def test_the_wait_is_taken_from_trql_where_that_fits(times: dict[str, int], expected: tuple[int, int]) -> None:
    queue = by_name(plan(a_due(**times), Shape()))["queue"]
    assert (queue.start - AT, queue.end - AT) == expected


def test_a_run_that_never_started_has_no_wait_and_no_work() -> None:
    spans = plan(a_due("EXPIRED", started_at=None), Shape())
    assert [span.name for span in spans] == ["run send-email"]
    assert [event.name for event in spans[0].events] == ["expired"]


@pytest.mark.parametrize(
    ("status", "is_error", "error_type", "result"),
    [
        ("COMPLETED", False, None, "success"),
        ("FAILED", True, "_OTHER", "failure"),
        ("CRASHED", True, "crashed", "error"),
        ("SYSTEM_FAILURE", True, "system_failure", "error"),
        ("TIMED_OUT", True, "timeout", "timeout"),
        ("EXPIRED", True, "expired", "skip"),
        ("CANCELED", False, None, "cancellation"),
    ],
)
def test_how_it_ended(status: str, is_error: bool, error_type: str | None, result: str) -> None:
    run = plan(a_due(status), Shape())[0]
    told = (run.is_error, run.attributes.get("error.type"), run.attributes["trigger.run.result"])
    assert told == (is_error, error_type, result)
    assert bool(run.description) is is_error


def test_every_terminal_status_has_a_plan() -> None:
    assert all(plan(a_due(status.value), Shape()) for status in TERMINAL)


def test_a_failure_tells_the_name_of_its_error_where_that_is_known() -> None:
    assert plan(a_due("FAILED", error_name="PaymentError"), Shape())[0].attributes["error.type"] == "PaymentError"
    assert "error.type" not in plan(a_due(error_name="PaymentError"), Shape())[0].attributes


def test_the_words_of_the_users_own_spans_are_there_and_what_is_private_is_not() -> None:
    attributes = plan(a_due(tags=("customer:7",)), Shape(dashboard="https://x"))[0].attributes
    assert (attributes["ctx.run.id"], attributes["ctx.task.id"]) == ("run_cm0abc", "send-email")
    assert attributes["trigger.run.url"] == "https://x/projects/v3/proj_shop/runs/run_cm0abc"
    assert "trigger.run.tags" not in attributes
    assert plan(a_due(tags=("a", "b")), Shape(tags=True))[0].attributes["trigger.run.tags"] == ("a", "b")


def test_children_can_be_left_out() -> None:
    due, bare = a_due(delayed_until=10), Shape(children="none")
    assert (len(plan(due, bare)), how_many(due, bare)) == (1, 1)


def test_a_batch_is_a_trace_of_its_own_and_its_runs_link_to_it() -> None:
    (batch,) = plan(a_batch(items_created=7, items_failed=1), Shape())
    assert (batch.name, batch.kind, batch.trace_id) == ("batchTrigger", Kind.PRODUCER, trace_id("batch_1"))
    assert batch.attributes["messaging.batch.message_count"] == 8
    run = plan(a_due(batch_id="batch_1"), Shape())[0]
    assert run.links == (Link(batch.trace_id, batch.span_id, {"trigger.batch.id": "batch_1"}),)
    assert plan(a_batch("ABORTED"), Shape())[0].is_error


def test_times_that_run_backwards_are_moved_and_told() -> None:
    """A scheduled run may begin, and end, before its slot, in whose name it was created."""
    due = a_due(started_at=-500, finished_at=-100)
    assert times_reversed(due)
    assert [(span.name.split()[0], span.start - AT, span.end - AT) for span in plan(due, Shape())] == [
        ("run", -500, -100),
        ("queue", -500, -500),
        ("execute", -500, -100),
    ]
    due = a_due(started_at=900, finished_at=400)
    assert times_reversed(due)
    assert [(span.start - AT, span.end - AT) for span in plan(due, Shape())] == [(0, 400), (0, 400), (400, 400)]
    assert not times_reversed(a_due())
    assert times_reversed(a_batch(finished_at=AT - 1))


@given(
    st.lists(st.one_of(st.none(), st.integers(-5_000, 5_000)), min_size=5, max_size=5),
    st.sampled_from(sorted(TERMINAL)),
)
def test_no_span_ends_before_it_begins_or_outside_its_run(times: list[int | None], status: str) -> None:
    started, finished, delayed, queued, dequeued = times
    due = a_due(
        status,
        started_at=started,
        finished_at=finished or 0,
        delayed_until=delayed,
        queued_at=queued,
        dequeued_at=dequeued,
    )
    run, *below = plan(due, Shape())
    assert how_many(due, Shape()) == 1 + len(below)
    assert run.start <= run.end
    for span in below:
        assert run.start <= span.start <= span.end <= run.end
    by = {span.name.split()[0]: span for span in below}
    if "queue" in by:
        assert by["queue"].end <= by["execute"].start


def test_metadata_puts_the_run_into_somebody_elses_trace() -> None:
    shape = Shape(mode="metadata")
    run, queue, _ = plan(a_due(traceparent=GIVEN, depth=1, parent_id="run_1", root_id="run_1"), shape)
    assert (run.trace_id, run.parent) == (GIVEN[3:35], Parent(GIVEN[36:52], True))
    assert (queue.trace_id, queue.parent) == (run.trace_id, Parent(run.span_id, False))


def test_a_child_follows_its_root_into_that_trace_below_its_parent() -> None:
    due = a_due(run_id="run_2", root_traceparent=GIVEN, depth=1, parent_id="run_1", root_id="run_1")
    child = plan(due, Shape(mode="metadata"))[0]
    assert (child.trace_id, child.parent) == (GIVEN[3:35], Parent(span_id("run_1"), True))


def test_link_mode_keeps_our_ids_and_points_there() -> None:
    run = plan(a_due(traceparent=GIVEN, batch_id="batch_1"), Shape(mode="link"))[0]
    assert run.trace_id == trace_id("run_cm0abc")
    assert [(link.trace_id, link.span_id) for link in run.links][1:] == [(GIVEN[3:35], GIVEN[36:52])]


@pytest.mark.parametrize("mode", ["derived", "metadata"])
def test_a_run_of_a_full_tree_has_a_trace_of_its_own_that_leads_to_the_root(mode: Mode) -> None:
    due = a_due(run_id="run_3", depth=2, parent_id="run_2", root_id="run_1", root_traceparent=GIVEN, is_cut=True)
    run, queue, _ = plan(due, Shape(mode=mode))
    assert (run.trace_id, run.parent) == (trace_id("run_3"), None)
    assert (queue.trace_id, queue.parent) == (run.trace_id, Parent(run.span_id, False))
    of_root = trace_id("run_1") if mode == "derived" else GIVEN[3:35]
    assert run.links == (Link(of_root, span_id("run_1"), {}),)
    assert run.attributes["trigger.run.trace_full"] is True
    assert run.attributes["trigger.run.parent_id"] == "run_2"
    assert (trace_of(due, mode), tree_of(due, mode)[0]) == (run.trace_id, of_root)


def test_what_the_platform_tells_of_a_run_is_there() -> None:
    run = plan(a_due(machine="small-1x", region="eu-central-1", ttl="10m"), Shape())[0]
    names = ("trigger.machine.preset", "trigger.region", "trigger.run.ttl")
    assert tuple(run.attributes[name] for name in names) == ("small-1x", "eu-central-1", "10m")


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "nonsense",
        GIVEN[:-1],
        GIVEN.upper(),
        GIVEN + "-more",
        "ff" + GIVEN[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        " " + GIVEN,
        GIVEN + "\n",
    ],
)
def test_metadata_that_is_no_traceparent_is_ignored(odd: str) -> None:
    assert tree_of(a_due(traceparent=odd), "metadata") == (trace_id("run_cm0abc"), None)
    assert plan(a_due(traceparent=odd), Shape(mode="link"))[0].links == ()


def test_a_later_version_of_traceparent_may_say_more() -> None:
    assert trace_of(a_due(traceparent="01" + GIVEN[2:] + "-more"), "metadata") == GIVEN[3:35]


@pytest.mark.parametrize("value", [2**70, -(2**70), "x" * 10_000, "\ud800", ("y" * 10_000,) * 3])
def test_values_that_no_back_end_takes_are_made_fit(value: Any) -> None:
    due = a_due(attempts=value) if isinstance(value, int) else a_due(version=value if isinstance(value, str) else "")
    due = due if not isinstance(value, tuple) else a_due(tags=value)
    for told in plan(due, Shape(tags=True))[0].attributes.values():
        assert not isinstance(told, int) or -(2**63) <= told < 2**63
        for text in told if isinstance(told, tuple) else (told,):
            assert not isinstance(text, str) or len(text.encode()) <= 4_096


def test_limits_leave_out_the_last_and_say_how_many() -> None:
    run = plan(a_due(batch_id="batch_1"), Shape(limits=Limits(attributes=3, links=0, value_length=4)))[0]
    assert list(run.attributes) == ["ctx.run.id", "ctx.task.id", "messaging.system"]
    assert run.attributes["ctx.run.id"] == "run_"
    assert run.dropped_attributes > 10
    assert run.links == ()
