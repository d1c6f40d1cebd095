"""Traces in the daemon: opened, run and ended with it, and what is not paid for where nobody wants them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from triggerdev_exporter.clock import SystemClock
from triggerdev_exporter.config.model import Target, Traces
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.sampling import Sampler
from triggerdev_exporter.tracing import open_tracing, policy_of

HEAVY = ("opentelemetry", "grpc", "google.protobuf")
TARGET = {"name": "shop", "secret_key": "tr_prod_abcdefgh"}


def loaded_by(program: str) -> set[str]:
    """Which of the heavy packages are loaded after `program`."""
    command = f"import sys\n{program}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return {heavy for heavy in HEAVY for name in done.stdout.split() if name == heavy or name.startswith(heavy + ".")}


def test_the_sdk_is_loaded_only_where_spans_are_exported() -> None:
    assert loaded_by("import triggerdev_exporter.app, triggerdev_exporter.cli") == set()
    assert "grpc" not in loaded_by("import triggerdev_exporter.spans.sender, triggerdev_exporter.spans.http_door")


def test_the_policy_is_that_of_config_and_environment() -> None:
    target = Target(**TARGET)  # type: ignore[arg-type]  # as a config gives it
    assert policy_of(Traces(), None, target) is None
    policy = policy_of(Traces(sample=0.5, tags=True, children="none"), Otlp(limits=Limits(links=1)), target)
    assert policy is not None
    assert (policy.sampler, policy.max_pending) == (Sampler(ratio=0.5), 100_000)
    assert policy.max_spans_per_trace == 10_000
    assert (policy.shape.tags, policy.shape.children, policy.shape.limits.links) == (True, "none", 1)
    assert policy.shape.dashboard == "https://cloud.trigger.dev"
    policy = policy_of(Traces(sample=0.5), Otlp(sampler=Sampler("always_off")), target)
    assert policy is not None
    assert policy.sampler == Sampler("always_off")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_certificates_that_cannot_be_used_end_the_start(tmp_path: Path, protocol: str) -> None:
    (tmp_path / "ca").write_text("no certificate", "utf-8")
    files = {"certificate": str(tmp_path / "ca"), "client_certificate": str(tmp_path / "missing")}
    otlp = Otlp(protocol=protocol, is_secure=True, **files)  # type: ignore[arg-type]  # one of the two
    with pytest.raises(ExporterError, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        async with open_tracing((), otlp, SystemClock()):
            pass


async def test_nothing_is_opened_without_a_collector() -> None:
    async with open_tracing((), None, SystemClock()):
        pass
