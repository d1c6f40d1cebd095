"""webhook.schema.json describes what a webhook is posted: judged by the reference implementation, over every sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from message_samples import SAMPLES
from triggerdev_alerts.alert import Reason
from triggerdev_alerts.notification import NoticeKind, Why
from triggerdev_alerts.receivers.webhook_body import native
from triggerdev_alerts.signals import Unit

SCHEMA: dict[str, Any] = json.loads(
    files("triggerdev_alerts.receivers").joinpath("webhook.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
ALERT = SCHEMA["properties"]["alerts"]["items"]["properties"]


def objects(schema: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each object of `value` beside its schema."""
    if isinstance(value, list):
        for one in value:
            yield from objects(schema["items"], one)
    elif isinstance(value, dict) and "properties" in schema:
        yield schema, value
        for key, one in value.items():
            yield from objects(schema["properties"].get(key, {}), one)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_valid_and_every_key_described(name: str) -> None:
    body = json.loads(native(SAMPLES[name], 100))
    assert [error.message for error in VALIDATOR.iter_errors(body)] == []
    for schema, found in objects(SCHEMA, body):
        assert found.keys() == schema["properties"].keys() == set(schema["required"])


def test_words_are_those_of_the_code() -> None:
    assert set(SCHEMA["properties"]["type"]["enum"]) == {f"alert.{kind}" for kind in NoticeKind}
    assert set(SCHEMA["properties"]["why"]["enum"]) == set(Why)
    assert set(ALERT["reason"]["enum"]) == set(Reason)
    assert set(ALERT["unit"]["enum"]) == set(Unit)


def test_it_refuses_what_is_not_so() -> None:
    body = json.loads(native(SAMPLES["firing"], 100))
    Draft202012Validator.check_schema(SCHEMA)
    assert not VALIDATOR.is_valid({**body, "version": "2"})
    assert not VALIDATOR.is_valid({**body, "alerts": [{**body["alerts"][0], "value": "0.42"}]})
    assert VALIDATOR.is_valid({**body, "later": 1}), "keys may be added"
