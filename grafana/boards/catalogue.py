"""All dashboards, in the order in which people meet them."""

from __future__ import annotations

from boards import alerts, batches, cost, deployments, health, overview, queues, task
from boards.model import Board

BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    task.BOARD,
    queues.BOARD,
    batches.BOARD,
    deployments.BOARD,
    cost.BOARD,
    alerts.BOARD,
    health.BOARD,
)
