"""The HTTP API against its own OpenAPI document: whatever is sent, nothing breaks, and every answer is one it names.

Schemathesis makes the requests: right ones, and ones that are wrong in every way that the document rules out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance
from schemathesis.core.failures import Failure, FailureGroup

from histories.history import SOAK
from triggerdev_exporter.app import running
from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.simulator.command import start_simulator
from triggerdev_exporter.web.limiter import RATES, Rate

EXAMPLES = 500 if SOAK else 8
"""Of each operation, right ones and wrong ones."""
JSON = {"Content-Type": "application/json"}
"""Writes need it, with a body and without: no form can send it. OpenAPI has no word for that."""
RULES = """\
receivers: {{hook: {{webhook: {{url: "http://127.0.0.1:9/", allow_private: true}}}}}}
routes: {{receiver: hook, group_wait: 0s}}
groups:
  - name: g
    align: exact
    rules: [{{alert: Always, when: {{queue_depth: {{above: 0}}}}, for: 0s}}]
"""

pytestmark = pytest.mark.timeout(0 if SOAK else 120)


class Served:
    """A daemon in a thread of its own, over a shop: schemathesis asks it as anybody would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.url = ""

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(60), "it did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self) -> None:
        (self._folder / "rules.yml").write_text(RULES.format(), "utf-8")
        async with start_simulator("shop", history_s=300) as simulator:
            text = f"targets: [{{name: prod, secret_key_env: KEY, api_url: '{simulator.url}'}}]\n"
            text += 'state: state.db\nalerts: {files: [rules.yml]}\nweb: {listen: "127.0.0.1:0"}\n'
            (self._folder / "config.yml").write_text(text, "utf-8")
            read = partial(load_config, self._folder / "config.yml", {"KEY": "tr_prod_fuzz", "HOME": "/home/me"})
            async with running(read().config, ScaledClock(), read) as exporter:
                states = exporter.targets[0].states.values()
                while any(state.up is None for state in states):
                    await exporter.clock.sleep(0.02)
                self.url = exporter.url
                self._ready.set()
                await self._stop.wait()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for kind in RATES:
            patch.setitem(RATES, kind, Rate(1e6, 10**6))
        with Served(tmp_path_factory.mktemp("fuzzed")) as served:
            yield served.url


@pytest.fixture(scope="module")
def schema(url: str) -> Any:
    return schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")


def test_nothing_that_is_sent_breaks_it_and_every_answer_is_one_it_names(schema: Any, url: str) -> None:
    tried, failures = 0, []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            try:
                _hold(operation.as_strategy(generation_mode=mode), url)
            except Unsatisfiable:
                # Nothing can be wrong with what has no parameters and no body.
                continue
            except (Failure, FailureGroup) as failure:
                failures += getattr(failure, "exceptions", [failure])
            tried += 1
    told = "\n\n".join(f"{failure.operation}: {failure}" for failure in failures)
    assert not failures, told
    assert tried > 20


def _hold(strategy: Any, url: str) -> None:
    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        # Not checked: that everything is accepted that the document allows. Whether a target of that name is there, or
        # matchers mean something, no schema can tell.
        case.call_and_validate(base_url=url, headers=JSON, excluded_checks=[positive_data_acceptance], timeout=60)

    holds()
