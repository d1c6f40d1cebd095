"""A ledger without a disk, for tests of decisions: news are absorbed at once, settled ids kept in a dict."""

from __future__ import annotations

from collections.abc import Callable

from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.records import Run
from triggerdev_exporter.statuses import RunStatus

BIRTH = 1_800_000_000_000
"""When counting begins in these tests: a whole minute, Unix ms."""


class Book:
    """What `Journal` and `Store` do together, in memory."""

    def __init__(self, birth: int = BIRTH) -> None:
        self.ledger = Ledger(birth)
        self.settled: dict[int, int] = {}
        self.spans: dict[str, SpanRow] = {}

    def write(self, decide: Callable[[Draft], None]) -> News:
        draft = Draft(self.ledger, self.settled, self.spans)
        decide(draft)
        self.ledger.absorb(draft.news)
        self.settled.update({hashed: marks for hashed, (_, marks) in draft.news.settled.items()})
        self.spans = {key: row for key, row in {**self.spans, **draft.news.spans}.items() if row is not None}
        return draft.news

    def count(self, family: str, *labels: str) -> int:
        return self.ledger.counters.get((family, labels), 0)

    def counts(self, family: str) -> dict[tuple[str, ...], int]:
        return dict(self.ledger.counter(family))


def a_run(run_id: str = "run_1", status: str = "COMPLETED", **fields: object) -> Run:
    """A run of task ``send-email`` created a second after birth; times are milliseconds after birth."""
    times = ("created_at", "started_at", "finished_at", "delayed_until", "updated_at")
    moved = {key: BIRTH + int(str(fields.pop(key))) for key in times if key in fields}
    base: dict[str, object] = {"id": run_id, "task": "send-email", "created_at": BIRTH + 1_000}
    return Run(status=RunStatus(status), **{**base, **moved, **fields})  # type: ignore[arg-type]  # keywords by name
