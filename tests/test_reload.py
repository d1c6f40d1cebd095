"""A reload of the whole daemon: what changes, what stays as it was, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import pytest
import trustme

from triggerdev_exporter.app import running
from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.errors import ConfigError
from triggerdev_exporter.exporter import Exporter
from triggerdev_exporter.file_watch import RETRY_LOOKS, Watch
from triggerdev_exporter.process import reload_on_change
from triggerdev_exporter.simulator.command import Running, start_simulator

ENVIRON = {"A_KEY": "tr_prod_a", "B_KEY": "tr_prod_b", "HOME": "/home/me"}
EVERY = "intervals: {runs: 1s, queues: 1s, batches: 1s, schedules: 1s, deployments: 1s, waitpoints: 1s}"
RULES = "groups: [{name: g, rules: [{alert: Mine, when: {queue_paused: }}]}]\n"


@dataclass
class Scene:
    """A daemon whose files a test may rewrite."""

    folder: Path
    simulator: Running
    exporter: Exporter

    def write(self, *targets: str, more: str = "") -> None:
        write(self.folder, self.simulator, *targets, more=more)

    def counted(self, name: str) -> float:
        """How many requests the API of a target was sent."""
        target = next(one for one in self.exporter.targets if one.name == name)
        return sum(target.client.meter.requests.values())

    async def until(self, what: Callable[[], Any]) -> None:
        """Wait until `what` holds: something outside of this test's hands."""
        async with asyncio.timeout(60):
            while not what():
                await self.exporter.clock.sleep(0.02)

    async def ready(self) -> None:
        await self.until(
            lambda: all(state.up is not None for one in self.exporter.targets for state in one.states.values())
        )

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.exporter.front.port}{path}", **more) as response,  # type: ignore[union-attr]  # it is open
        ):
            return response.status, await response.text()


def write(folder: Path, simulator: Running, *targets: str, more: str = "", state: str = "state.db") -> None:
    rows = "".join(
        f"  - {{name: {name}, secret_key_env: {name.upper()}_KEY, api_url: '{simulator.url}', {EVERY}{rest}}}\n"
        for name, _, rest in (target.partition(" ") for target in targets)
    )
    text = f"targets:\n{rows}state: {state}\nalerts: {{files: [rules.yml]}}\n"
    (folder / "config.yml").write_text(text + (more or 'web: {listen: "127.0.0.1:0"}\n'), "utf-8")


@asynccontextmanager
async def scene(folder: Path, *targets: str, more: str = "", **environ: str) -> AsyncIterator[Scene]:
    (folder / "rules.yml").write_text(RULES, "utf-8")
    clock = ScaledClock()
    async with start_simulator("shop", history_s=300) as simulator:
        write(folder, simulator, *targets, more=more)
        read = partial(load_config, folder / "config.yml", {**ENVIRON, **environ})
        async with running(read().config, clock, read) as exporter:
            playing = Scene(folder, simulator, exporter)
            await playing.ready()
            yield playing


async def test_targets_come_and_go_without_touching_the_others(tmp_path: Path) -> None:
    async with scene(tmp_path, "a") as playing:
        exporter = playing.exporter
        (first,) = exporter.targets
        playing.write("a", "b")
        await exporter.reload()
        assert [one.name for one in exporter.targets] == ["a", "b"]
        assert exporter.targets[0] is first
        await playing.until(lambda: exporter.targets[1].ledger is not None)
        await playing.ready()
        birth = exporter.targets[1].ledger.birth  # type: ignore[union-attr]  # waited for
        assert exporter.alerting is not None
        assert exporter.alerting.ruleset.rules[-1].name == "Mine"
        asked = playing.counted("a")

        playing.write("a")
        gone = exporter.targets[1]
        await exporter.reload()
        assert exporter.targets == (first,)
        of_the_gone = sum(gone.client.meter.requests.values())
        await playing.until(lambda: playing.counted("a") > asked + 6)
        assert sum(gone.client.meter.requests.values()) == of_the_gone, "it is not asked any more"

        playing.write("b", "a")
        await exporter.reload()
        again, same = exporter.targets
        assert same is first
        assert (again is gone, again.ledger.birth if again.ledger else 0) == (False, birth), "it counts on"


async def test_a_target_that_changed_goes_on_with_what_it_saw(tmp_path: Path) -> None:
    async with scene(tmp_path, "a", "b") as playing:
        exporter = playing.exporter
        before, other = exporter.targets
        counted = (await playing.ask("/metrics"))[1].count('target="a"')
        playing.write("a , quota: {share: 20%}", "b")
        await exporter.reload()
        after, same = exporter.targets
        assert same is other
        assert after is not before
        assert after.config.quota.share == 0.2
        assert after.ledger is not before.ledger, "read from the state: nothing that was under way is in between"
        assert after.sights is before.sights
        assert after.client.meter is before.client.meter
        assert after.states["queues"].up
        # Nothing vanished from the page meanwhile.
        assert (await playing.ask("/metrics"))[1].count('target="a"') >= counted


async def test_spans_go_on_over_a_reload(tmp_path: Path, free_port: int) -> None:
    """Nobody listens there: what was not taken waits on disk, whoever sends it."""
    collector = f"http://127.0.0.1:{free_port}"
    async with scene(tmp_path, "a", OTEL_EXPORTER_OTLP_ENDPOINT=collector) as playing:
        exporter = playing.exporter
        (before,) = exporter.targets
        await playing.until(lambda: before.ledger is not None and before.ledger.waiting_spans)
        await exporter.reload()
        assert exporter.targets == (before,), "nothing changed, nothing is touched"
        playing.write("a , quota: {share: 20%}")
        await exporter.reload()
        (after,) = exporter.targets
        assert after.ledger is not None
        assert after.ledger.waiting_spans
        assert after.exports is before.exports


async def test_labels_are_changed_under_a_target(tmp_path: Path) -> None:
    async with scene(tmp_path, "a") as playing:
        before = playing.exporter.targets
        playing.write("a , labels: {team: mail}")
        await playing.exporter.reload()
        assert playing.exporter.targets == before
        assert 'triggerdev_up{target="a",team="mail"} 1' in (await playing.ask("/metrics"))[1]


REFUSED = (
    ("web.listen", dict(more='web: {listen: "127.0.0.1:1"}\n')),  # noqa: C408 - they are arguments
    ("state", dict(state="other.db")),  # noqa: C408
)


@pytest.mark.parametrize(("key", "changes"), REFUSED, ids=[key for key, _ in REFUSED])
async def test_what_takes_a_restart_is_refused_and_nothing_else_changes(
    tmp_path: Path, key: str, changes: dict[str, str]
) -> None:
    async with scene(tmp_path, "a") as playing:
        write(tmp_path, playing.simulator, "a", "b", **changes)
        with pytest.raises(ConfigError, match=rf"{key}: from .* takes a restart, since"):
            await playing.exporter.reload()
        assert [one.name for one in playing.exporter.targets] == ["a"]
        status, text = await playing.ask("/-/reload", "POST")
        assert status == 422
        assert text.endswith("restart, or change it back\nThe old configuration stays.\n")


async def test_all_mistakes_are_told_at_once_and_the_old_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, "a") as playing:
        exporter = playing.exporter
        playing.write("a", "b , branch: 5", more='web: {listen: "127.0.0.1:0", config_file: web.yml}\n')
        (tmp_path / "rules.yml").write_text(RULES.replace("queue_paused", "queue_pause"), "utf-8")
        for _ in range(3):
            with pytest.raises(ConfigError) as raised:
                await exporter.reload()
        told = "\n".join(raised.value.mistakes)
        assert '"branch" wants text' in told
        assert 'did you mean "queue_paused"?' in told
        assert exporter.alerting is not None
        assert "Mine" in {rule.name for rule in exporter.alerting.ruleset.rules}
        assert "triggerdev_exporter_config_last_reload_successful 0" in (await playing.ask("/metrics"))[1]
        view = json.loads((await playing.ask("/api/v1/config"))[1])
        assert (view["is_current"], view["mistakes"]) == (False, raised.value.mistakes)
        failed = [one for one in caplog.records if "could not be reloaded" in one.message]
        assert len(failed) == 1, "each failure once"

        (tmp_path / "rules.yml").write_text(RULES.replace("Mine", "Other"), "utf-8")
        playing.write("a")
        assert await playing.ask("/-/reload", "POST") == (200, "Reloaded.\n")
        assert "reloading works again" in caplog.messages
        assert "triggerdev_exporter_config_last_reload_successful 1" in (await playing.ask("/metrics"))[1]
        assert json.loads((await playing.ask("/api/v1/config"))[1])["mistakes"] == []
        assert {"Mine", "Other"} & {rule.name for rule in exporter.alerting.ruleset.rules} == {"Other"}


async def test_a_changed_file_is_noticed_and_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triggerdev_exporter.process.LOOK_EVERY_S", 0.02)
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text("{}\n", "utf-8")
    web = 'web: {listen: "127.0.0.1:0", config_file: web.yml}\n'
    async with scene(tmp_path, "a", more=web) as playing:
        exporter = playing.exporter
        watching = asyncio.ensure_future(reload_on_change(exporter, exporter.clock))
        assert (await playing.ask("/"))[0] == 200
        (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: {hashed}}}\n", "utf-8")
        await playing.until(lambda: exporter.gate is not None and exporter.gate.access.users)
        assert (await playing.ask("/"))[0] == 401
        # TLS, on the same port; and another certificate.
        cert = trustme.CA().issue_cert("localhost")
        cert.private_key_pem.write_to_path(tmp_path / "key.pem")
        cert.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n", "utf-8")
        await playing.until(lambda: exporter.front is not None and exporter.front.is_tls)
        loaded_at = exporter.reloads.at
        (tmp_path / "rules.yml").write_text(RULES.replace("Mine", "Other"), "utf-8")
        await playing.until(lambda: exporter.reloads.at > loaded_at)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


# ── the watch ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def looks(watch: Watch) -> tuple[bool, bool]:
    return watch.look(), watch.look()


def test_a_file_is_read_again_once_nobody_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("a", "utf-8")
    watch = Watch(lambda: [path])
    assert looks(watch) == (False, False)
    path.write_text("ab", "utf-8")
    assert not watch.look()
    path.write_text("abc", "utf-8")
    assert looks(watch) == (False, True)
    watch.settle()
    assert looks(watch) == (False, False)
    path.unlink()
    assert looks(watch) == (False, True)
    watch.settle()
    path.write_text("abc", "utf-8")
    assert looks(watch) == (False, True)


def test_the_link_that_kubernetes_swaps_above_the_file(tmp_path: Path) -> None:
    """config.yml → ..data/config.yml, and ..data → ..2026_01; only the last link is exchanged, in one step."""
    for name in ("..2026_01", "..2026_02"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text("same size", "utf-8")
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "config.yml").symlink_to("..data/config.yml")
    watch = Watch(lambda: [tmp_path / "config.yml"])
    assert looks(watch) == (False, False)
    (tmp_path / "..data_tmp").symlink_to("..2026_02")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    assert looks(watch) == (False, True)
    watch.settle()
    assert looks(watch) == (False, False)


def test_what_is_watched_may_become_more(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    paths[0].touch()
    watch = Watch(lambda: paths)
    paths.append(tmp_path / "b")
    assert looks(watch) == (False, True)
    watch.settle()
    assert looks(watch) == (False, False)


def test_what_changes_while_it_is_read_is_read_once_more(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.touch()
    watch = Watch(lambda: paths)
    paths[0].write_text("new", "utf-8")
    assert looks(watch) == (False, True)
    # Both change after they were read, and there is one more to watch.
    paths[1].write_text("new", "utf-8")
    paths.append(tmp_path / "c")
    watch.settle()
    assert looks(watch) == (False, True)
    watch.settle()
    assert looks(watch) == (False, False)


def test_what_was_refused_is_tried_again_after_a_while(tmp_path: Path) -> None:
    watch = Watch(lambda: [tmp_path / "a"])
    assert [watch.look(retry=True) for _ in range(RETRY_LOOKS)].index(True) == RETRY_LOOKS - 1
    watch.settle()
    assert not watch.look(retry=True)
