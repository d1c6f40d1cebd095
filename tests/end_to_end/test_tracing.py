"""The daemon with a collector: spans come, the key stays secret, and a stop waits for nobody."""

from __future__ import annotations

import asyncio

import pytest

from elsewhere import elsewhere
from end_to_end.processes import Stage, wait_until
from otlp_receiver import receiving


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_daemon_exports_and_ends(stage: Stage, protocol: str) -> None:
    with elsewhere() as there:
        receiver = there.enter(receiving(over_grpc=True))
        simulator = stage.simulate("--scenario", "busy", "--history", "1m")
        simulator.faults(endpoints={"query": {"deny": 403}})
        is_grpc = protocol == "grpc"
        endpoint = f"http://{receiver.grpc}" if is_grpc else receiver.http.removesuffix("/v1/traces")
        daemon = stage.run(
            "--config",
            str(stage.config(simulator)),
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=s3cret",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_SERVICE_NAME="jobs",
            TRIGGERDEV_EXPORTER_LOG_LEVEL="debug",
        )
        wait_until(lambda: len(receiver.spans) > 20, "spans come", daemon)
        assert receiver.heads[0]["x-key"] == "s3cret"
        assert {span.resource["service.name"] for span in receiver.spans} == {"jobs"}
        (begun,) = daemon.events("exporting spans")
        assert begun["collector"] == (receiver.grpc if is_grpc else receiver.http)
        assert daemon.end() == 0
        assert "s3cret" not in daemon.stderr
        assert "Traceback" not in daemon.stderr


def test_a_stop_does_not_wait_for_a_collector_that_hangs(stage: Stage) -> None:
    async def hangs(request: object) -> None:
        await asyncio.get_running_loop().create_future()

    with elsewhere() as there:
        receiver = there.enter(receiving())
        receiver.bad += [hangs] * 1_000
        simulator = stage.simulate("--scenario", "busy", "--history", "1m")
        simulator.faults(endpoints={"query": {"deny": 403}})
        endpoint = receiver.http.removesuffix("/v1/traces")
        daemon = stage.run("--config", str(stage.config(simulator)), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        wait_until(lambda: receiver.requests > 0, "it tries", daemon)
        before = daemon.value("collector_last_success_timestamp_seconds", collector="runs") or 0
        wait_until(
            lambda: (daemon.value("collector_last_success_timestamp_seconds", collector="runs") or 0) > before,
            "polling goes on",
            daemon,
        )
        assert daemon.end(within=8) == 0
