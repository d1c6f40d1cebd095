"""Sampling by trace id: the SDK's own samplers are the judge."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from triggerdev_exporter.spans.ids import trace_id
from triggerdev_exporter.spans.sampling import SAMPLERS, Sampler

IDS = [trace_id(f"run_{number}") for number in range(3_000)]


@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.1, 0.5, 1.0])
def test_the_same_traces_as_the_sdk_takes(ratio: float) -> None:
    judge = TraceIdRatioBased(ratio)
    ours = Sampler("traceidratio", ratio)
    taken = [ours.takes(each) for each in IDS]
    assert taken == [judge.should_sample(None, int(each, 16), "run").decision.is_sampled() for each in IDS]
    assert sum(taken) == pytest.approx(ratio * len(IDS), abs=60)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_flag_of_a_parent_counts_where_the_sampler_says_so(name: str) -> None:
    sampler = Sampler(name, 0.0)
    follows = name.startswith("parentbased_")
    assert sampler.takes(IDS[0], True) is (follows or name == "always_on")
    assert sampler.takes(IDS[0], False) is (not follows and name == "always_on")
    assert sampler.takes(IDS[0]) is name.endswith("always_on")
