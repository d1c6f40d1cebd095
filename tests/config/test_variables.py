"""Variables that are set in vain: which are told, and which are none of our business."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.variables import misspelt
from triggerdev_exporter.errors import ConfigError

MEANT = (
    ("TRIGGER_SECRET_KEYS", "TRIGGER_SECRET_KEY"),
    ("TRIGER_SECRET_KEY", "TRIGGER_SECRET_KEY"),
    ("trigger_secret_key", "TRIGGER_SECRET_KEY"),
    ("TRIGGER_API_KEY", "TRIGGER_SECRET_KEY"),
    ("TRIGGER_APIURL", "TRIGGER_API_URL"),
    ("TRIGGERDEV_EXPORTER_LOGLEVEL", "TRIGGERDEV_EXPORTER_LOG_LEVEL"),
    ("TRIGGERDEV_EXPORTER_CONFG", "TRIGGERDEV_EXPORTER_CONFIG"),
)


@pytest.mark.parametrize(("name", "meant"), MEANT)
def test_the_one_that_was_meant(name: str, meant: str) -> None:
    (told,) = misspelt({name: "x"})
    assert (told.place.name if told.place else "", told.severity) == (name, "warning")
    assert told.text == f"nothing reads this variable; did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    [
        "TRIGGER_SECRET_KEY",
        "TRIGGERDEV_EXPORTER_STATE",
        "TRIGGERDEV_EXPORTER_PASSWORD_FILE",
        # Trigger.dev's own, and other people's.
        "TRIGGER_ACCESS_TOKEN",
        "TRIGGER_PROJECT_REF",
        "TRIGGER_WORKER_TOKEN",
        "TRIGGERS",
        "PATH",
        # What Kubernetes sets beside a service of our name.
        "TRIGGERDEV_EXPORTER_SERVICE_HOST",
        "TRIGGERDEV_EXPORTER_SERVICE_PORT_HTTP",
        "TRIGGERDEV_EXPORTER_PORT",
        "TRIGGERDEV_EXPORTER_PORT_9925_TCP_ADDR",
    ],
)
def test_what_is_no_mistake(name: str) -> None:
    assert misspelt({name: "x"}) == []


def test_what_is_near_one_that_is_set_may_be_somebody_elses() -> None:
    assert misspelt({"TRIGGER_API_KEY": "x", "TRIGGER_SECRET_KEY": "tr_prod_x"}) == []


def test_without_a_key_it_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"TRIGER_SECRET_KEY": "tr_prod_x", "HOME": "/home/me"})
    assert str(caught.value).endswith("; is TRIGER_SECRET_KEY meant to be TRIGGER_SECRET_KEY?")
    assert "tr_prod_x" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("shop-prod", "tr_stg_x", "the name says prod, and the key is one of stg: is it the right key?"),
        ("Staging EU", "tr_prod_x", "the name says stg, and the key is one of prod: is it the right key?"),
        ("shop-prod", "tr_prod_x", ""),
        ("reproduce", "tr_dev_x", ""),
        ("dev-of-prod", "tr_stg_x", ""),
        ("shop", "tr_stg_x", ""),
    ],
)
def test_a_key_of_another_environment_than_the_name_says(name: str, key: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(f"targets: [{{name: {name}, secret_key_env: K}}]\nstate: state.db\n", "utf-8")
    warnings = load_config(path, {"K": key}).warnings
    assert [text in one for one in warnings] == [True] * bool(text)
