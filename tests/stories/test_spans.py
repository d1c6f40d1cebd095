"""An hour of a shop as spans: what a collector received equals the world's truth, run by run."""

from __future__ import annotations

from pathlib import Path

import pytest

from otlp_receiver import receiving
from story import tell
from tracing_stage import differences, exporting, odd_attributes, to, true_spans


@pytest.mark.parametrize(
    ("profile", "protocol"),
    [("v4.5", "http/protobuf"), ("v4.4", "grpc"), ("seed", "http/protobuf")],
)
async def test_an_hour_as_traces_equals_the_truth(tmp_path: Path, profile: str, protocol: str) -> None:
    over_grpc = protocol == "grpc"
    async with (
        receiving(over_grpc=over_grpc) as receiver,
        tell(tmp_path, "shop", profile=profile) as story,
        exporting(story, to(receiver, protocol=protocol, gzip=over_grpc)) as tracer,
    ):
        await tracer.daemon.poll()
        await tracer.let(3600, step=30)
        ledger = tracer.daemon.target.ledger
        assert ledger is not None
        hour = story.clock.now()
        # What ended just now is still on its way.
        await tracer.let(600, step=30)
        received = receiver.by_id()
        told = profile != "seed"
        due, true = (true_spans(story.world, ledger.birth, now, told=told) for now in (hour, story.clock.now()))
        assert len(due) > 1_000
        assert differences(received, due, true) == []
        assert len(receiver.spans) == len(received)
        assert odd_attributes(received, story.world, told=told) == []
        assert tracer.value("spans_exported_total") == len(receiver.spans)
        assert tracer.value("spans_amended_total", reason="parent_unknown") == 0
        assert tracer.daemon.total("spans_dropped_total") == 0
