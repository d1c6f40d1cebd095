"""Starting it: alone, until cancelled, and what it says."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from triggerdev_exporter.simulator.command import SimulatorOptions, run_simulator, start_simulator


@pytest.mark.parametrize("profile", ["seed", "v4.4", "v4.5", "latest"])
async def test_it_serves_until_cancelled(profile: str) -> None:
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options = SimulatorOptions(profile=profile, history_s=60, speed=20, announce=said.set_result)
    task = asyncio.create_task(run_simulator(options))
    text = await said
    url = text.splitlines()[0].rpartition(" ")[2]
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer tr_prod_x"}) as session:
        async with session.get(url + "/api/v1/runs") as answer:
            assert answer.status == 200
        async with session.get(url + "/_sim/clock") as answer:
            assert (await answer.json())["speed"] == 20
    assert "/_sim/truth" in text
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_at_once_do_not_meet() -> None:
    async with start_simulator() as one, start_simulator("idle") as other:
        assert one.url != other.url
        assert one.world.queues == {}
        assert len(other.world.queues) == 50
        assert len(other.world.schedules) == 50
