"""Rows of spans: who gets one, when it is sealed, what is told of it later, and how it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.clock import HOUR
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Kind
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.run_news import enrich, sight
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.span_news import accepted, give_up, retrieved, seal_as_they_are
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.ledger.thing_news import batch_sight, follow_batches
from triggerdev_exporter.records import Batch, Enrichment, Run
from triggerdev_exporter.spans.due import Origin, RunDue
from triggerdev_exporter.spans.ids import trace_id
from triggerdev_exporter.spans.plan import Shape
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.spans.sampling import Sampler

NOW = BIRTH + 10_000
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def a_book(policy: Policy | None = Policy(), *, enriched: bool = True) -> Book:  # noqa: B008 - frozen
    book = Book()
    book.ledger.spans, book.ledger.enriched = policy, enriched
    return book


def see(book: Book, *runs: Run, now: int = NOW) -> None:
    book.write(lambda draft: sight(draft, runs, now=now, count_tests=False))


def tell(book: Book, *rows: Enrichment) -> None:
    book.write(lambda draft: enrich(draft, rows, now=NOW))


def an_end(run_id: str = "run_1", **fields: Any) -> Run:
    return a_run(run_id, **{"started_at": 2_000, "finished_at": 3_000, "depth": 0, **fields})


def due(book: Book, run_id: str = "run_1") -> RunDue:
    found = book.spans[run_id].due
    assert isinstance(found, RunDue)
    return found


def test_nothing_is_kept_where_nobody_exports() -> None:
    book = a_book(None)
    see(book, an_end())
    tell(book, Enrichment(run_id="run_1", parent_id="run_0", root_id="run_0", is_finished=True))
    assert (book.spans, book.ledger.waiting_spans) == ({}, 0)


def test_a_run_that_ended_waits_once_for_what_trql_tells() -> None:
    book = a_book()
    see(book, a_run(status="EXECUTING", started_at=2_000, depth=0))
    assert book.spans == {}
    see(book, an_end(), an_end())
    assert book.spans["run_1"] == SpanRow(due(book), NOW)
    assert book.ledger.waiting_spans == 1
    tell(book, Enrichment(run_id="run_1", queue="mail", is_finished=True, queued_at=BIRTH + 1_500, attempts=2))
    assert book.spans["run_1"].sealed
    assert (due(book).queue, due(book).queued_at, due(book).attempts) == ("mail", BIRTH + 1_500, 2)
    assert book.ledger.waiting_spans == 1


def test_what_is_sealed_never_changes() -> None:
    book = a_book()
    see(book, an_end())
    tell(book, Enrichment(run_id="run_1", queue="mail", is_finished=True))
    before = book.spans["run_1"]
    tell(book, Enrichment(run_id="run_1", queue="other", is_finished=True))
    book.write(lambda draft: retrieved(draft, an_end(parent_id="run_9", root_id="run_9"), now=NOW))
    assert book.spans["run_1"] == before


def test_without_trql_a_root_is_sealed_at_once() -> None:
    book = a_book(enriched=False)
    see(book, an_end())
    assert book.spans["run_1"].sealed


def test_what_was_told_while_it_was_open_is_kept_and_what_its_end_adds_is_waited_for() -> None:
    book = a_book()
    see(book, a_run(status="EXECUTING", depth=1))
    tell(book, Enrichment(run_id="run_1", queue="mail", parent_id="run_0", root_id="run_0"))
    see(book, an_end(depth=1))
    assert not book.spans["run_1"].sealed
    book.write(lambda draft: seal_as_they_are(draft, ["run_1"], now=NOW))
    assert (due(book).parent_id, due(book).queue, due(book).orphaned) == ("run_0", "mail", False)


def test_trql_tells_the_name_of_its_error_and_its_machine() -> None:
    book = a_book()
    see(book, an_end(status="FAILED", region="eu-central-1", ttl="10m"))
    tell(book, Enrichment(run_id="run_1", is_finished=True, error_name="PaymentError", machine="small-1x"))
    assert book.spans["run_1"].sealed
    assert (due(book).error_name, due(book).machine) == ("PaymentError", "small-1x")
    assert (due(book).region, due(book).ttl) == ("eu-central-1", "10m")


def test_a_tree_that_is_full_is_cut_and_its_root_never() -> None:
    book = a_book(Policy(max_spans_per_trace=7))
    children = [f"run_{number}" for number in range(1, 5)]
    see(book, *(an_end(child, depth=1) for child in children))
    # Two fit, with three spans each; in how many transactions makes no difference.
    for some in (children[:1], children[1:]):
        tell(book, *(Enrichment(run_id=child, parent_id="run_0", root_id="run_0", is_finished=True) for child in some))
    see(book, an_end("run_0", depth=0))
    book.write(lambda draft: seal_as_they_are(draft, ["run_0"], now=NOW))
    assert [due(book, child).is_cut for child in [*children, "run_0"]] == [False, False, True, True, False]
    assert book.counts("spans_amended_total") == {("trace_full",): 2}


def test_whoever_joins_a_trace_by_its_own_metadata_is_not_cut() -> None:
    book = a_book(Policy(shape=Shape(mode="metadata"), max_spans_per_trace=1))
    see(book, an_end("run_1", depth=1, traceparent=GIVEN), an_end("run_2", depth=1))
    for child in ("run_1", "run_2"):
        tell(book, Enrichment(run_id=child, parent_id="run_0", root_id="run_0", is_finished=True))
    assert [due(book, child).is_cut for child in ("run_1", "run_2")] == [False, True]


def test_a_child_waits_for_its_parent_and_a_retrieve_tells_it() -> None:
    book = a_book(enriched=False)
    see(book, an_end(depth=2))
    assert not book.spans["run_1"].sealed
    book.write(lambda draft: retrieved(draft, an_end(depth=2, parent_id="run_b", root_id="run_a"), now=NOW))
    assert (due(book).root, due(book).parent_id, due(book).orphaned) == ("run_a", "run_b", False)


def test_whose_parent_nobody_tells_is_exported_and_counted() -> None:
    book = a_book()
    see(book, an_end(depth=2), an_end("run_2"))
    book.write(lambda draft: seal_as_they_are(draft, ["run_1", "run_2", "run_3"], now=NOW))
    assert due(book).orphaned
    assert not due(book, "run_2").orphaned
    assert book.counts("spans_amended_total") == {("parent_unknown",): 1}


@pytest.mark.parametrize("asked", ["trql", "retrieve"])
def test_where_the_list_tells_no_depth_whoever_has_no_parent_is_a_root(asked: str) -> None:
    book = a_book()
    see(book, an_end(depth=None))
    if asked == "trql":
        tell(book, Enrichment(run_id="run_1", queue="mail", is_finished=True))
    else:
        book.write(lambda draft: retrieved(draft, an_end(depth=None), now=NOW))
    assert (due(book).depth, due(book).orphaned) == (0, False)


def test_ends_before_birth_and_old_ends_are_not_exported() -> None:
    book = a_book()
    see(book, an_end("run_0", created_at=-9_000, started_at=-8_000, finished_at=-5_000))
    assert (book.spans, book.counts("spans_dropped_total")) == ({}, {})
    see(book, an_end(), now=NOW + 2 * HOUR)
    assert (book.spans, book.counts("spans_dropped_total")) == ({}, {("too_old",): 3})


def test_test_runs_are_exported_too() -> None:
    book = a_book(enriched=False)
    see(book, an_end(is_test=True))
    assert due(book).is_test


def test_an_unsampled_tree_leaves_no_row() -> None:
    book = a_book(Policy(sampler=Sampler("always_off")))
    see(book, an_end(), an_end("run_2", depth=1))
    assert list(book.spans) == ["run_2"]
    tell(book, Enrichment(run_id="run_2", parent_id="run_1", root_id="run_1", is_finished=True))
    assert (book.spans, book.ledger.waiting_spans) == ({}, 0)
    assert book.counts("spans_dropped_total") == {("sampling",): 6}


def test_times_that_run_backwards_are_counted() -> None:
    book = a_book(enriched=False)
    see(book, an_end(started_at=500))
    assert book.counts("spans_amended_total") == {("times_reversed",): 1}


def test_tags_are_only_kept_where_they_are_wanted() -> None:
    book = a_book(enriched=False)
    see(book, an_end(tags=("secret",)))
    assert due(book).tags == ()
    book = a_book(Policy(shape=Shape(tags=True)), enriched=False)
    see(book, an_end(tags=("team",)))
    assert due(book).tags == ("team",)


def test_a_child_follows_its_open_root_into_the_trace_of_its_metadata() -> None:
    book = a_book(Policy(shape=Shape(mode="metadata")), enriched=False)
    see(book, a_run("run_1", status="EXECUTING", depth=0, traceparent=GIVEN))
    see(book, an_end("run_2", depth=1, parent_id="run_1", root_id="run_1"))
    assert due(book, "run_2").root_traceparent == GIVEN
    assert Policy(shape=Shape(mode="metadata")).plan(due(book, "run_2"))[0].trace_id == GIVEN[3:35]


def test_a_batch_that_ended_is_sealed_at_once() -> None:
    book = a_book()
    batch = Batch(
        id="batch_1", status="COMPLETED", created_at=BIRTH, updated_at=BIRTH + 9, items_created=3, items_failed=1
    )
    for _ in range(2):
        book.write(lambda draft: follow_batches(draft, ["batch_1"]))
        book.write(lambda draft: batch_sight(draft, batch, now=NOW))
    assert book.spans["batch_1"].sealed
    assert book.ledger.waiting_spans == 1


def test_accepted_rows_go_and_are_counted() -> None:
    book = a_book(enriched=False)
    see(book, an_end("run_1"), an_end("run_2"))
    book.write(lambda draft: accepted(draft, ["run_1", "run_2"], spans=6, rejected=2))
    assert (book.spans, book.ledger.waiting_spans) == ({}, 0)
    assert book.count("spans_exported_total") == 4
    assert book.count("spans_dropped_total", "rejected") == 2


def test_given_up_rows_go_and_are_counted_by_reason() -> None:
    book = a_book(enriched=False)
    see(book, an_end("run_1"))
    book.write(lambda draft: give_up(draft, {"run_1": due(book)}, "queue_full"))
    assert (book.ledger.waiting_spans, book.counts("spans_dropped_total")) == (0, {("queue_full",): 3})


def test_the_origin_is_what_was_known_when_it_was_sealed() -> None:
    book = a_book(enriched=False)
    known = Coverage(tail=BIRTH, project="proj", environment="prod", environment_type="PRODUCTION")
    book.write(lambda draft: draft.put(Kind.COVERAGE, "", known))
    see(book, an_end())
    assert due(book).origin == Origin(project="proj", environment="prod", environment_type="PRODUCTION")


async def test_the_file_keeps_rows_in_order_and_counts_them(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    ledger = await store.begin("prod", BIRTH)
    ledger.spans, ledger.enriched = Policy(), True
    journal = Journal("prod", ledger, store)
    runs = [an_end(f"run_{number}") for number in range(5)]

    async def write(runs: list[Run], now: int) -> None:
        await journal.write(
            lambda draft: sight(draft, runs, now=now, count_tests=False),
            lookup=hashes(Kind.RUN, [run.id for run in runs]),
        )

    await write(runs[:3], NOW)
    await write(runs, NOW + 50)
    assert ledger.waiting_spans == 5

    async def unsealed(until: int = NOW + HOUR, most: int = 10) -> list[str]:
        return list(await journal.first_spans(sealed=False, until=until, most=most))

    assert await unsealed() == [f"run_{number}" for number in range(5)]
    assert await unsealed(until=NOW, most=2) == ["run_0", "run_1"]
    await journal.write(lambda draft: seal_as_they_are(draft, ["run_3", "run_1"], now=NOW), spans=["run_3", "run_1"])
    assert list(await journal.first_spans(sealed=True, until=NOW + HOUR, most=10)) == ["run_1", "run_3"]
    await store.close()

    store = open_store(tmp_path / "state.db")
    again = await store.load("prod")
    assert isinstance(again, Ledger)
    assert again.waiting_spans == 5
    again.spans = Policy()
    journal = Journal("prod", again, store)
    rows = await journal.oldest_spans(2)
    assert list(rows) == ["run_0", "run_1"]

    def done(draft: Draft) -> None:
        accepted(draft, rows, spans=6, rejected=0)

    await journal.write(done, spans=list(rows))
    assert again.waiting_spans == 3
    await store.close()


def test_the_row_tells_the_trace_of_its_root() -> None:
    book = a_book()
    see(book, an_end("run_2", depth=1))
    tell(book, Enrichment(run_id="run_2", parent_id="run_1", root_id="run_1", is_finished=True))
    assert Policy().plan(due(book, "run_2"))[0].trace_id == trace_id("run_1")
