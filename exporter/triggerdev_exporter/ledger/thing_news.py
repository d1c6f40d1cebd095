"""What a sight of batches, waitpoint tokens or deployments changes. Pure; rules: docs/design.md, section 5."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Cursor, Kind, OpenBatch, OpenDeployment, OpenToken
from triggerdev_exporter.ledger.run_news import VANISH_AFTER
from triggerdev_exporter.ledger.settled import HORIZON
from triggerdev_exporter.ledger.span_news import batch_ends
from triggerdev_exporter.ledger.strips import BATCHES, FAILED_ITEMS, ITEMS, About, Family
from triggerdev_exporter.records import Batch, Deployment, WaitpointToken

BATCH_ENDS = frozenset({"COMPLETED", "ABORTED"})
TOKEN_ENDS = frozenset({"COMPLETED", "TIMED_OUT"})
DEPLOYMENT_ENDS = frozenset({"DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT"})
DEPLOYMENT_VERDICTS = DEPLOYMENT_ENDS - {"CANCELED"}


def follow_batches(draft: Draft, batch_ids: Iterable[str]) -> None:
    """Batches that somebody mentioned: read them from now on, unless they have ended."""
    for batch_id in batch_ids:
        if draft.get(Kind.BATCH, batch_id, OpenBatch) is None and draft.marks(Kind.BATCH, batch_id) is None:
            draft.put(Kind.BATCH, batch_id, OpenBatch())


def batch_sight(draft: Draft, batch: Batch, *, now: Instant) -> None:
    """A batch as read at `now` (server time). It ends once, at COMPLETED or ABORTED."""
    before = draft.get(Kind.BATCH, batch.id, OpenBatch)
    if before is None:
        return
    if not before.status and batch.status in BATCH_ENDS and batch.updated_at < now - HORIZON:
        # New to us, or forgotten: one that the configuration names is mentioned for ever, and is not counted again.
        _end(draft, Kind.BATCH, batch.id, now)
        return
    if not before.status and batch.created_at >= draft.birth:
        draft.count("batches_triggered_total", ())
    was_partial = before.was_partial or batch.status == "PARTIAL_FAILED"
    if batch.status not in BATCH_ENDS:
        draft.put(
            Kind.BATCH,
            batch.id,
            OpenBatch(status=batch.status, created_at=batch.created_at, was_partial=was_partial),
        )
        return
    draft.keep_strips(now)
    items = batch.items_created + batch.items_failed
    for sub, by in ((BATCHES, 1), (ITEMS, items), (FAILED_ITEMS, batch.items_failed)):
        draft.note(Family.BATCHES, batch.updated_at, About(), sub, by)
    if batch.updated_at >= draft.birth:
        partial = batch.status == "COMPLETED" and (was_partial or batch.items_failed > 0)
        draft.count("batches_finished_total", ("PARTIAL_FAILED" if partial else batch.status,))
        draft.count("batch_items_total", ("created",), batch.items_created)
        draft.count("batch_items_total", ("failed",), batch.items_failed)
        draft.observe("batch_duration_seconds", (), max(0, batch.updated_at - batch.created_at))
        batch_ends(draft, batch, now=now)
    _end(draft, Kind.BATCH, batch.id, now)


def batch_not_found(draft: Draft, batch_id: str, *, now: Instant) -> None:
    """Nobody knows this batch: give it up after `VANISH_AFTER` looks, visibly (it may be a wrong id in the config)."""
    batch = draft.get(Kind.BATCH, batch_id, OpenBatch)
    if batch is None:
        return
    if batch.missing + 1 < VANISH_AFTER:
        draft.put(Kind.BATCH, batch_id, msgspec.structs.replace(batch, missing=batch.missing + 1))
        return
    draft.notice("vanished", f"{batch_id} was {batch.status or 'never seen'} and does not exist")
    _end(draft, Kind.BATCH, batch_id, now)


def token_sight(draft: Draft, tokens: Iterable[WaitpointToken], *, now: Instant) -> None:
    """Waitpoint tokens as seen at `now` (server time)."""
    read_to = newest = (draft.get(Kind.CURSOR, "tokens", Cursor) or Cursor()).newest
    for token in tokens:
        newest = max(newest, token.created_at)
        if draft.marks(Kind.TOKEN, token.id) is not None:
            continue
        known = draft.get(Kind.TOKEN, token.id, OpenToken) is not None
        if not known and token.created_at <= read_to and token.created_at < now - HORIZON:
            # Every walk begins with the newest token, however old it is: this one was read, ended and forgotten.
            continue
        if token.status not in TOKEN_ENDS:
            draft.put(Kind.TOKEN, token.id, OpenToken(created_at=token.created_at))
            continue
        ended_at = token.completed_at or token.timeout_at or now
        if ended_at >= draft.birth:
            draft.count("waitpoint_tokens_finished_total", (token.status,))
        _end(draft, Kind.TOKEN, token.id, now)
    draft.put(Kind.CURSOR, "tokens", Cursor(newest=newest))


def token_not_found(draft: Draft, token_id: str, *, now: Instant) -> None:
    """Nobody knows this open token any more."""
    token = draft.get(Kind.TOKEN, token_id, OpenToken)
    if token is None:
        return
    if token.missing + 1 < VANISH_AFTER:
        draft.put(Kind.TOKEN, token_id, msgspec.structs.replace(token, missing=token.missing + 1))
        return
    draft.notice("vanished", f"{token_id} was waiting and no longer exists")
    _end(draft, Kind.TOKEN, token_id, now)


def deployment_sight(draft: Draft, deployments: Iterable[Deployment]) -> None:
    """Deployments as listed, each counted once, at its end.

    Only DEPLOYED tells when it ended. One that ended otherwise counts if it was created after birth, or if we saw it
    open.
    """
    cursor = draft.get(Kind.CURSOR, "deployments", Cursor) or Cursor()
    newest, ended = cursor.newest, dict(cursor.ended)
    verdict, verdict_of = cursor.verdict, cursor.verdict_of
    for deployment in deployments:
        newest = max(newest, deployment.created_at)
        if deployment.status in DEPLOYMENT_VERDICTS and deployment.created_at >= verdict_of:
            verdict, verdict_of = deployment.status, deployment.created_at
        if draft.marks(Kind.DEPLOYMENT, deployment.id) is not None:
            continue
        if deployment.status not in DEPLOYMENT_ENDS:
            draft.put(
                Kind.DEPLOYMENT,
                deployment.id,
                OpenDeployment(status=deployment.status, created_at=deployment.created_at),
            )
            continue
        seen_open = draft.get(Kind.DEPLOYMENT, deployment.id, OpenDeployment) is not None
        ended_at = deployment.deployed_at if deployment.deployed_at is not None else deployment.created_at
        if ended_at >= draft.birth or seen_open:
            draft.count("deployments_finished_total", (deployment.status,))
        ended[deployment.status] = max(ended_at, ended.get(deployment.status, 0))
        draft.drop(Kind.DEPLOYMENT, deployment.id)
        # For ever: the list always begins with the same old deployments, and there are few.
        draft.settle(Kind.DEPLOYMENT, deployment.id, until=FOR_EVER)
    draft.put(Kind.CURSOR, "deployments", Cursor(newest=newest, ended=ended, verdict=verdict, verdict_of=verdict_of))


def deployment_gone(draft: Draft, deployment_id: str, *, now: Instant) -> None:
    """An open deployment that the list no longer holds: give it up, visibly."""
    deployment = draft.get(Kind.DEPLOYMENT, deployment_id, OpenDeployment)
    if deployment is not None:
        draft.notice("vanished", f"{deployment_id} was {deployment.status} and is no longer listed")
        _end(draft, Kind.DEPLOYMENT, deployment_id, now)


FOR_EVER: Instant = 2**62


def _end(draft: Draft, kind: Kind, key: str, now: Instant) -> None:
    draft.drop(kind, key)
    draft.settle(kind, key, until=now + HORIZON)
