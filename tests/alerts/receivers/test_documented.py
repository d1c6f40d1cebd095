"""docs/receivers.md: its examples work, and what it says of kinds and numbers is so."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alert_notices import told
from triggerdev_alerts.receivers.door import TIMEOUT_S
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.signing import headers, parse_secrets
from triggerdev_alerts.receivers.webhook import Settings
from triggerdev_alerts.receivers.webhook_body import native
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.clock import SystemClock

PAGE = (Path(__file__).parents[3] / "docs" / "receivers.md").read_text("utf-8")
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + 40 * "A"
BODY = native(told(), 10)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def signed(*secrets: str, age: int = 0) -> dict[str, str]:
    return headers(parse_secrets(" ".join(secrets)), "msg_1", SystemClock().now() - age * 1_000, BODY)


def cases() -> list[tuple[dict[str, str], str, bool]]:
    """Headers, body, and whether they fit. Signed when asked: minutes later they would be too old."""
    return [
        (signed(SECRET), BODY, True),
        (signed(OTHER, SECRET), BODY, True),
        (signed(SECRET, age=270), BODY, True),
        (signed(SECRET, age=330), BODY, False),
        (signed(SECRET, age=-330), BODY, False),
        (signed(OTHER), BODY, False),
        (signed(SECRET), BODY + " ", False),
        ({**signed(SECRET), "webhook-id": "msg_2"}, BODY, False),
    ]


def test_the_python_example_verifies() -> None:
    (code,) = blocks("python")
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 -- it is our own page
    for found, body, is_good in cases():
        if is_good:
            scope["verify"](SECRET, found, body.encode())
        else:
            with pytest.raises(ValueError, match=r"too old|not signed"):
                scope["verify"](SECRET, found, body.encode())


def test_the_node_example_verifies(require: Callable[[str], str], tmp_path: Path) -> None:
    (code,) = blocks("js")
    (tmp_path / "verify.mjs").write_text(code, "utf-8")
    (tmp_path / "run.mjs").write_text(
        'import { verify } from "./verify.mjs";\n'
        'import { readFileSync } from "node:fs";\n'
        'const { secret, cases } = JSON.parse(readFileSync(0, "utf8"));\n'
        "const fits = ([headers, body]) => { try { verify(secret, headers, Buffer.from(body)); return true; }\n"
        "                                    catch (error) { return error.message; } };\n"
        "console.log(JSON.stringify(cases.map(fits)));\n",
        "utf-8",
    )
    known = cases()
    asked = json.dumps({"secret": SECRET, "cases": [(found, body) for found, body, _ in known]})
    done = subprocess.run(
        [require("node"), str(tmp_path / "run.mjs")], input=asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [answer is True for answer in json.loads(done.stdout)] == [is_good for _, _, is_good in known]


def test_the_yaml_examples_are_rules() -> None:
    for n, text in enumerate(blocks("yaml")):
        assert read_rules([RuleFile(f"{n}.yml", f"version: 1\n{text}")]).ruleset


def test_the_webhooks_keys_are_those_that_are_sent() -> None:
    (text,) = blocks("json")
    shown, sent = json.loads(text), json.loads(BODY)
    assert shown.keys() == sent.keys()
    assert shown["group"].keys() == sent["group"].keys()
    assert shown["alerts"][0].keys() == sent["alerts"][0].keys()
    assert shown["alerts"][0]["evidence"].keys() == sent["alerts"][0]["evidence"].keys()


def test_every_kind_has_a_row_and_numbers_are_those_of_the_code() -> None:
    for name in KINDS:
        assert f"| [`{name}`](#" in PAGE
    assert f"A request gets {TIMEOUT_S:.0f} seconds" in PAGE
    assert f"{Settings.model_fields['max_alerts'].default} alerts (`max_alerts`, 1,000 at most)" in PAGE
