"""What the page of targets, and the API behind it, say of spans: taken, not taken, refused, or none at all."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from alert_notices import NOW
from otlp_receiver import Receiver, receiving
from pages_stage import Paged
from story import tell
from tracing_stage import Exporting, exporting, to


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[tuple[Receiver, Exporting, Any]]:
    async with (
        receiving() as receiver,
        tell(folder, start=NOW) as story,
        exporting(story, to(receiver)) as tracer,
    ):
        stage = Paged(story, tracer.daemon)
        async with stage.serving() as client:
            await tracer.daemon.poll()
            yield receiver, tracer, client
        await stage.witness.close()


async def ends(tracer: Exporting) -> None:
    """A run does, and is ready to be sent."""
    tracer.story.clock.advance(120)
    tracer.story.world.add_run(task="mail", status="COMPLETED")
    tracer.story.clock.advance(70)
    await tracer.daemon.poll()


async def told(client: Any) -> dict[str, Any]:
    async with client.get("/api/v1/targets") as response:
        spans: dict[str, Any] = (await response.json())["targets"][0]["spans"]
        return spans


async def shown(client: Any, path: str = "/targets") -> str:
    async with client.get(path) as response:
        bare = re.sub(r"<[^>]*>", "", await response.text())
        return " ".join(html.unescape(bare).split())


async def unavailable(request: web.Request) -> web.Response:
    return web.Response(status=503, text="come back later")


async def refuses(request: web.Request) -> web.Response:
    return web.Response(status=400, text="no such tenant")


async def test_spans_that_are_taken(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, tracer, client):
        assert (await told(client))["state"] == "waiting"
        await ends(tracer)
        await tracer.export()
        assert f"ok 3 taken by {receiver.http}. Runs that wait for the query, or for their turn: 0." in await shown(
            client
        )


async def test_a_collector_that_takes_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, tracer, client):
        await ends(tracer)
        receiver.bad += [unavailable] * 2
        for _ in range(2):
            await tracer.export()
            tracer.story.clock.advance(60)
        assert (
            f"failing {receiver.http} takes none since 2025-10-09 08:56 UTC (2 min): unavailable: HTTP 503 come back "
            "later. Runs that wait on disk and are sent again, each until 1 h after its end: 1."
        ) in await shown(client)
        assert f"failing {receiver.http} takes none since 2025-10-09 08:56 UTC (2 min). Why" in await shown(client, "/")
        await tracer.export()
        assert (await told(client))["state"] == "ok"


async def test_what_was_refused_for_good(tmp_path: Path) -> None:
    async with staged(tmp_path) as (receiver, tracer, client):
        await ends(tracer)
        receiver.bad.append(refuses)
        await tracer.export()
        page = await shown(client)
        assert "It refused some for good: HTTP 400 no such tenant." in page
        assert "Not exported: 3 refused." in page
        assert f"refused {receiver.http} refused some for good. Why" in await shown(client, "/")
        await ends(tracer)
        await tracer.export()
        assert ((await told(client))["state"], (await told(client))["dropped"]) == ("ok", {"refused": 3})


async def test_nothing_is_said_where_none_are_exported(tmp_path: Path) -> None:
    async with tell(tmp_path, start=NOW) as story, story.daemon() as daemon:
        stage = Paged(story, daemon)
        async with stage.serving() as client:
            await daemon.poll()
            assert await told(client) is None
            assert "spans" not in await shown(client) + await shown(client, "/")
        await stage.witness.close()
