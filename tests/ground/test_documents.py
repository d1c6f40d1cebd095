"""What the documents show is true: the example of a config loads, and every variable and default is the real one."""

from __future__ import annotations

import re
from pathlib import Path

from triggerdev_exporter.config import load_config
from triggerdev_exporter.config import written as variables

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ENVIRON = {"HOME": "/home/me", "SHOP_PREVIEW_KEY": "tr_preview_madeupmadeup"}


def example() -> str:
    match = re.search(r"<!-- config:begin -->\n```yaml\n(.*?)```\n<!-- config:end -->", README, flags=re.DOTALL)
    assert match
    return match[1]


def test_the_example_of_a_config_loads_and_shows_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(example(), "utf-8")
    (tmp_path / "shop-prod.key").write_text("tr_prod_madeupmadeup\n", "utf-8")
    loaded = load_config(tmp_path / "config.yml", ENVIRON)
    assert loaded.warnings == ()
    config = loaded.config
    shop, preview = config.targets
    own = {"name", "labels", "secret_key", "branch"}
    assert shop.model_dump(exclude=own) == preview.model_dump(exclude=own), "the example shows what the defaults are"
    plain = load_config(None, ENVIRON | {"TRIGGER_SECRET_KEY": "tr_prod_madeupmadeup"}).config
    assert (config.web, config.log) == (plain.web, plain.log)


def test_every_key_of_a_target_is_in_the_example() -> None:
    from triggerdev_exporter.config.model import WrittenTarget

    assert [key for key in WrittenTarget.model_fields if f"{key}:" not in example()] == []


def test_every_variable_is_in_the_table() -> None:
    names = {variables.CONFIG, *variables.ONE_TARGET, *variables.OVERRIDES}
    shown = re.findall(r"`(TRIGGER(?:DEV_EXPORTER)?_[A-Z_]+)`", README)
    assert set(shown) == names


def test_the_place_for_the_metrics_is_kept() -> None:
    assert README.index("<!-- metrics:begin -->") < README.index("<!-- metrics:end -->")
