"""A playground for a test: it ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.kills import Playground, playground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Playground]:
    with playground(tmp_path) as ground:
        yield ground
