"""The page that README's picture is taken of: it draws every payload that we make, and data is not HTML there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from message_samples import GOLDEN, SAMPLES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.syspath_prepend(DOCS)
    from slack_picture import page  # docs/ is no package

    found: Callable[..., str] = page
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_drawn(page: Callable[..., str], name: str) -> None:
    document = page([json.loads((GOLDEN / f"{name}.slack.json").read_text("utf-8"))])
    assert "triggerdev-exporter" in document
    assert "<!" not in document.removeprefix("<!doctype html>")
    assert "<filler" not in document
    assert "<b>" in document


def test_the_picture_is_there() -> None:
    assert (DOCS / "slack-message.png").read_bytes().startswith(b"\x89PNG")
