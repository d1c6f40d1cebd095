"""What a scrape costs, against prometheus-client's ``generate_latest`` on the same families in the same process.

``make bench`` prints it for 1 k, 10 k and 100 k series: the first page, one after 1 % of the tasks had runs, one after
all had, one after nothing happened; each plain and packed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Metric

from bench.crowd import LINES_A_TASK, Crowd, page_of_news
from bench.table import Row, ms, part
from library_page import Library, metric
from triggerdev_exporter.clock import SystemClock
from triggerdev_exporter.metrics.catalogue import FAMILIES
from triggerdev_exporter.metrics.family import View
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.target import Target

Clock = Callable[[], float]


@dataclass(frozen=True)
class Measured:
    """Seconds, the best of some tries; `stall` is the part that keeps the event loop."""

    series: int
    library: float
    library_gzip: float
    first: float
    some_changed: float
    all_changed: float
    unchanged: float
    packed_changed: float
    packed_unchanged: float
    page_bytes: int

    @property
    def ratio(self) -> float:
        """How much dearer the library is than a page on which 1 % changed."""
        return self.library / self.some_changed

    def __str__(self) -> str:
        ms = 1_000
        return (
            f"  {self.series:>7,} series, {self.page_bytes / 1e6:5.2f} MB: "
            f"prometheus-client {self.library * ms:7.1f} ms (+ gzip {self.library_gzip * ms:5.1f}); "
            f"first {self.first * ms:6.1f}, all changed {self.all_changed * ms:6.1f}, "
            f"1 % changed {self.some_changed * ms:6.1f} (1/{self.ratio:.0f}), unchanged {self.unchanged * ms:5.2f}; "
            f"with gzip {self.packed_changed * ms:6.1f} and {self.packed_unchanged * ms:5.2f}"
        )


def library_page(targets: Sequence[Target], now: int) -> Library:
    """The same rows in prometheus-client's shapes; read anew at each page, as a collector of that library does."""

    def read() -> Iterator[Metric]:
        for view in [View(target, now) for target in targets]:
            for family in FAMILIES:
                static = {"target": view.target.name}
                yield metric(family.full_name, family.help, family.kind, family.labels, family.rows(view), static)

    return Library(read)


def best(times: int, clock: Clock, work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """The least of `times` measurements of `work`, each after an unmeasured `before`: others use the machine too."""
    least = float("inf")
    for _ in range(times):
        before()
        began = clock()
        work()
        least = min(least, clock() - began)
    return least


async def bench(series: int, clock: Clock = time.perf_counter, times: int = 5) -> Measured:
    """What was measured for about that many series."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(max(1, series // LINES_A_TASK), SystemClock(), Path(folder))
        now, kept = crowd.target.clock.now(), Kept()

        def page(memory: Kept = kept) -> Page:
            return Page((crowd.target,), now, loaded_at=now, state_bytes=0, kept=memory)

        def change(share: float) -> None:
            crowd.ledger.absorb(page_of_news(crowd.tasks, crowd.random, share=share))

        library = library_page((crowd.target,), now)
        text = library.write()
        measured = Measured(
            series=sum(not line.startswith(b"#") for line in page().write(Format.TEXT_0).splitlines()),
            library=best(max(1, times // 2), clock, library.write),
            library_gzip=best(times, clock, lambda: gzip.compress(text, 9)),
            first=best(times, clock, lambda: page(Kept()).write(Format.TEXT_0)),
            some_changed=best(times, clock, lambda: page().write(Format.TEXT_0), lambda: change(0.01)),
            all_changed=best(times, clock, lambda: page().write(Format.TEXT_0), lambda: change(1.0)),
            unchanged=best(times, clock, lambda: page().write(Format.TEXT_0)),
            packed_changed=best(times, clock, lambda: page().text(Format.TEXT_0).packed(), lambda: change(0.01)),
            packed_unchanged=best(times, clock, lambda: page().text(Format.TEXT_0).packed()),
            page_bytes=len(text),
        )
        await crowd.close()
    return measured


def rows() -> list[Row]:
    """The rows of a table."""
    found = []
    for series in (1_000, 10_000, 100_000):
        # Of this thread's processor time: both sides of a ratio, whoever else uses the machine.
        each = asyncio.run(bench(series, time.thread_time, times=5 if series >= 100_000 else 25))
        name = f"{series // 1_000} k series"
        library, packed = each.library, each.library + each.library_gzip
        found += [
            Row(
                f"scrape, {name}, 1 % changed",
                ms(each.some_changed),
                f"`generate_latest`: {ms(library)}",
                part(each.some_changed, library),
                # Of a small page the fixed costs are the most, and half a millisecond hurts nobody.
                "≤ 1/20" if series >= 10_000 else "",
            ),
            Row(
                f"scrape, {name}, unchanged, gzip",
                ms(each.packed_unchanged),
                f"`generate_latest` and its gzip: {ms(packed)}",
                part(each.packed_unchanged, packed),
                "",
            ),
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="*", default=(1_000, 10_000, 100_000))
    wish = parser.parse_args()
    print("a scrape, against generate_latest on the same families (goal: at most 1/20 where 1 % changed)")
    for series in wish.series:
        print(asyncio.run(bench(series, time.thread_time)))


if __name__ == "__main__":
    main()
