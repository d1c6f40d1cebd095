"""A real Prometheus with exemplar storage keeps which runs stand beside the buckets, and each leads to its span."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from elsewhere import elsewhere
from end_to_end.processes import Stage, wait_until
from end_to_end.test_prometheus import start_prometheus
from otlp_receiver import Received, receiving

FAMILIES = {"triggerdev_run_duration_seconds_bucket": "execute", "triggerdev_run_wait_seconds_bucket": "queue"}


def test_exemplars_lead_from_a_bucket_to_a_span(
    stage: Stage, require: Callable[[str], str], free_port: int, tmp_path: Path
) -> None:
    with elsewhere() as there:
        receiver = there.enter(receiving())
        simulator = stage.simulate("--scenario", "busy", "--history", "1m")
        # Without a query roots are exported at once, not within a minute.
        simulator.faults(endpoints={"query": {"deny": 403}})
        daemon = stage.run(
            "--config",
            str(stage.config(simulator)),
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http.removesuffix("/v1/traces"),
        )
        wait_until(daemon.is_ready, "the look-back is read", daemon)
        address = daemon.url.removeprefix("http://")
        prometheus = start_prometheus(stage, require("prometheus"), free_port, address, tmp_path)

        def exemplars(family: str) -> list[tuple[float, dict[str, Any]]]:
            found = prometheus.api("query_exemplars", query=family, start="0", end="99999999999")
            return [(float(row["seriesLabels"]["le"]), each) for row in found for each in row["exemplars"]]

        def traced(family: str) -> list[tuple[float, dict[str, Any]]]:
            return [(bound, each) for bound, each in exemplars(family) if "trace_id" in each["labels"]]

        for family in FAMILIES:
            wait_until(lambda family=family: len(traced(family)) >= 5, f"{family} has exemplars", daemon)  # type: ignore[misc]
        told = {family: exemplars(family) for family in FAMILIES}
        wanted = {each["labels"].get("span_id") for found in told.values() for _, each in found} - {None}

        async def received() -> dict[str, Received]:
            return receiver.by_id()

        # What stands there just now may still be on its way to the collector.
        wait_until(lambda: wanted <= set(there.do(received)), "their spans came", daemon)
        spans = there.do(received)
        for family, part in FAMILIES.items():
            for bound, each in told[family]:
                labels, value = each["labels"], float(each["value"])
                assert value <= bound
                assert labels["run_id"].startswith("run_")
                if "trace_id" in labels:
                    span = spans[labels["span_id"]]
                    assert (span.trace, span.attributes["ctx.run.id"]) == (labels["trace_id"], labels["run_id"])
                    below = [each for each in spans.values() if each.parent == span.id]
                    (timed,) = (each for each in below if each.span.name.startswith(part))
                    assert timed.end - timed.start == round(value * 1000)
        # The text format has no place for them.
        assert "# {" not in daemon.text()
        assert "# {" in daemon.text(accept="application/openmetrics-text; version=1.0.0")
        assert prometheus.program.end() == 0
        assert "out of order" not in prometheus.program.stderr
        assert "xemplar" not in prometheus.program.stderr
