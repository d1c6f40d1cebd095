"""What the documents show is true: the example of a config loads, and every variable and default is the real one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.config import load_config
from triggerdev_exporter.config import written as variables

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ENVIRON = {"HOME": "/home/me", "SHOP_PREVIEW_KEY": "tr_preview_madeupmadeup"}


def example() -> str:
    match = re.search(r"<!-- config:begin -->\n```yaml\n(.*?)```\n<!-- config:end -->", CONFIGURATION, flags=re.DOTALL)
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
    shown = re.findall(r"`(TRIGGER(?:DEV_EXPORTER)?_[A-Z_]+)`", CONFIGURATION)
    assert set(shown) == names


def test_the_rule_in_readme_is_one() -> None:
    (text,) = re.findall(r"<!-- rules:begin -->\n```yaml\n(.*?)```\n<!-- rules:end -->", README, flags=re.DOTALL)
    loaded = read_rules([RuleFile("alerts.yml", text)])
    assert loaded.warnings == ()
    assert [rule.name for rule in loaded.ruleset.rules] == ["SendEmailFails"]


LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)|(?:src|srcset)=\"(?!https?:)([^\"]+)\"")
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    wanted = {one or other for one, other in LINK.findall(text)}
    assert [to for to in sorted(wanted) if not ((ROOT / page).parent / to).exists()] == []
