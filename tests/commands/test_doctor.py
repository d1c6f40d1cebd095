"""`doctor` as it is typed: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otlp_receiver import receiving
from triggerdev_exporter.cli import cli
from triggerdev_exporter.errors import ConfigError
from triggerdev_exporter.simulator.command import start_simulator

KEY = "tr_prod_typed"


async def doctor(folder: Path, url: str, *arguments: str) -> Result:
    environ = {
        "TRIGGER_SECRET_KEY": KEY,
        "TRIGGER_API_URL": url,
        "TRIGGERDEV_EXPORTER_STATE": str(folder / "state.db"),
    }
    return await asyncio.to_thread(CliRunner().invoke, cli, ["doctor", *arguments], env=environ)


async def test_all_is_well(tmp_path: Path) -> None:
    async with start_simulator("idle") as simulator:
        done = await doctor(tmp_path, simulator.url)
    assert done.exit_code == 0, done.output
    assert "  ok  key          prod  a key of prod, accepted; it may read everything\n" in done.stdout
    assert done.stdout.endswith(" checks, and all is well.\n") or "0 broken" in done.stdout
    assert KEY not in done.output


async def test_a_key_that_is_refused(tmp_path: Path) -> None:
    async with start_simulator("idle") as simulator:
        simulator.faults.revoked = {KEY}
        done = await doctor(tmp_path, simulator.url, "--format", "json")
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert told["verdict"] == "broken"
    assert next(one for one in told["checks"] if one["check"] == "key")["remedy"].startswith("take the key of Project")
    assert KEY not in done.output


async def test_a_receiver_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.chdir(tmp_path)
    rules = f"""\
receivers: {{ops: {{webhook: {{url: "http://127.0.0.1:{free_port}/hook/secret", allow_private: true}}}}}}
routes: {{receiver: ops}}
"""
    (tmp_path / "rules.yml").write_text(rules, "utf-8")
    async with start_simulator("idle") as simulator:
        config = f"targets: [{{secret_key_env: TRIGGER_SECRET_KEY, api_url: '{simulator.url}'}}]\n"
        (tmp_path / "config.yml").write_text(config + "alerts: {files: [rules.yml]}\n", "utf-8")
        done = await doctor(tmp_path, "", "--config", "config.yml")
    assert done.exit_code == 1, done.output
    assert f"ops   webhook: 127.0.0.1:{free_port}: connection refused" in done.stdout
    assert "/hook/secret" not in done.output


async def test_a_collector_of_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start_simulator("idle") as simulator, receiving(over_grpc=True) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.http.removesuffix("/v1/traces"))
        done = await doctor(tmp_path, simulator.url)
        assert f"{receiver.http} (http/protobuf) takes requests" in " ".join(done.stdout.split())
        assert done.exit_code == 0
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.grpc}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        done = await doctor(tmp_path, simulator.url)
        assert f"{receiver.grpc} (grpc) takes requests" in " ".join(done.stdout.split())
        assert receiver.spans == []


async def test_a_collector_that_is_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start_simulator("idle") as simulator:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", simulator.url)
        done = await doctor(tmp_path, simulator.url)
    assert done.exit_code == 1, done.output
    assert "→ look at" in done.stdout
    assert "OTEL_EXPORTER_OTLP_" in done.stdout


async def test_mistakes_of_the_config_are_told_as_check_tells_them(tmp_path: Path) -> None:
    done = await doctor(tmp_path, "api.trigger.dev")
    assert isinstance(done.exception, ConfigError)
    assert done.exception.exit_code == 2


async def test_it_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    ours = logging.getLogger("triggerdev_exporter")
    before = ours.level
    async with start_simulator("idle") as simulator:
        await doctor(tmp_path, simulator.url)
    assert ours.level == before


async def test_a_variable_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIGGERDEV_EXPORTER_LOGLEVEL", "debug")
    async with start_simulator("idle") as simulator:
        done = await doctor(tmp_path, simulator.url)
    assert done.exit_code == 0, done.output
    assert (
        "TRIGGERDEV_EXPORTER_LOGLEVEL: [unknown-variable]: nothing reads this variable; did you mean "
        "TRIGGERDEV_EXPORTER_LOG_LEVEL?"
    ) in " ".join(done.stdout.split())
    assert "1 to look at" in done.stdout
