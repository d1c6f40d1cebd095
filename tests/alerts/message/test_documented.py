"""docs/messages.md says what the rows say: every field, filter and key, with its meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggerdev_alerts.message.filters import FILTERS
from triggerdev_alerts.message.template import FIELDS
from triggerdev_alerts.receivers.slack import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "messages.md").read_text("utf-8")
KEYS = {name: str(field.description) for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize(("name", "meaning"), [*FIELDS.items(), *KEYS.items()])
def test_every_field_and_key(name: str, meaning: str) -> None:
    assert f"| `{name}` | {meaning} |" in PAGE


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter(name: str) -> None:
    assert any(line.startswith(f"| `{name}") and FILTERS[name].help in line for line in PAGE.splitlines())
