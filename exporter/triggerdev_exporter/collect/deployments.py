"""Deployments: which end how, which one is current, and which tasks it brings."""

from __future__ import annotations

from typing import ClassVar

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.collect.suspicion import Suspicion
from triggerdev_exporter.collect.walk import pages
from triggerdev_exporter.errors import NotFound
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.thing_news import deployment_gone, deployment_sight
from triggerdev_exporter.records import Deployment
from triggerdev_exporter.target import Target

MAX_PAGES = 3
"""The newest 300: one that is still open further down has been given up by everybody."""


class DeploymentsCollector:
    """Reads the newest deployments at each step, and the current one's tasks when it changes."""

    name: ClassVar[str] = "deployments"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._suspicion = Suspicion("deployments")
        self._tasks_of: str | None = None

    async def step(self, now: Instant) -> bool:
        target = self._target
        dialect, journal = await target.open()
        listed: list[Deployment] = []
        read = 0
        open_before = set(journal.ledger.deployments)
        async for page in pages(target.client, dialect.deployments, lambda deployment: deployment.id):
            listed.extend(page)
            read += 1
            known = journal.ledger.facts[Kind.CURSOR].get("deployments")
            # Open ones may stand on any page; without them, later pages only hold what ended and was counted.
            if read >= MAX_PAGES or (known is not None and not journal.ledger.deployments):
                break

        self._suspicion.weigh(was=len(open_before), now=len(listed))
        # What was open is looked for on every page that we read; one that is on none was deleted, or given up long ago.
        gone = sorted(open_before - {deployment.id for deployment in listed})

        def decide(draft: Draft) -> None:
            deployment_sight(draft, listed)
            for deployment_id in gone:
                deployment_gone(draft, deployment_id, now=now)

        news = await journal.write(decide, lookup=hashes(Kind.DEPLOYMENT, [deployment.id for deployment in listed]))
        target.told(self.name, news.notices)
        current = await self._current(listed)
        await self._learn_tasks(current)
        target.sights.deployment = current
        return True

    async def _current(self, listed: list[Deployment]) -> Deployment | None:
        dialect, _ = await self._target.open()
        call = dialect.current_deployment()
        if call is not None:
            try:
                return await self._target.client.fetch(call)
            except NotFound as error:
                # A server before v4.5.0 takes "current" for the id of a deployment, and does not find that.
                if error.is_json and "Deployment not found" not in str(error):
                    return None
        # Servers before v4.5.0 and the seed cannot be asked: the one deployed last is the current one.
        done = [deployment for deployment in listed if deployment.status == "DEPLOYED"]
        return max(done, key=lambda deployment: deployment.deployed_at or deployment.created_at, default=None)

    async def _learn_tasks(self, current: Deployment | None) -> None:
        if current is None or current.id == self._tasks_of:
            return
        tasks = current.tasks
        if tasks is None:
            dialect, _ = await self._target.open()
            call = dialect.deployment_tasks(current.id)
            try:
                tasks = () if call is None else await self._target.client.fetch(call)
            except NotFound:
                tasks = ()
        self._target.sights.deployed_tasks = tasks
        self._tasks_of = current.id
