"""Commands that end with the process may quieten its loggers; the tests after them want to hear."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _loggers_speak_again() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("triggerdev_alerts", "triggerdev_exporter")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
