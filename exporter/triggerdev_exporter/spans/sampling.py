"""Which traces are exported: decided from the trace id alone, so that a tree is taken or left as a whole. Pure.

The rules are those of the SDK's samplers, whose names ``OTEL_TRACES_SAMPLER`` gives. A parent, for these, is the
context that somebody put into the metadata of a run; a parent run has the same trace id, hence the same fate.
"""

from __future__ import annotations

from dataclasses import dataclass

from triggerdev_exporter.spans.ids import TraceId

SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
_PARENT_BASED = "parentbased_"


@dataclass(frozen=True, slots=True)
class Sampler:
    """`name` is one of `SAMPLERS`."""

    name: str = "parentbased_traceidratio"
    ratio: float = 1.0

    def takes(self, trace_id: TraceId, parent_sampled: bool | None = None) -> bool:
        """Whether that trace is exported. `parent_sampled`: the flag of a context from outside, if there is one."""
        if parent_sampled is not None and self.name.startswith(_PARENT_BASED):
            return parent_sampled
        name = self.name.removeprefix(_PARENT_BASED)
        if name == "traceidratio":
            return int(trace_id[16:], 16) < round(self.ratio * 2**64)
        return name == "always_on"
