"""Everything we warn of, one a file in `odd/`, against the whole text that a person sees (`odd.txt`).

To keep new texts: ``PYTHONPATH=exporter:alerts .venv/bin/python tests/alerts/rules/test_odd_files.py``, then read the
diff.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.rules.files import gather_rules
from triggerdev_alerts.rules.load import read_rules

HERE = Path(__file__).parent
ODD = sorted((HERE / "odd").glob("*.yml"))
GOLDEN = HERE / "odd.txt"


def told(file: Path) -> list[str]:
    with contextlib.chdir(file.parent):
        return [render(warning) for warning in read_rules(gather_rules([file.name]).files).warnings]


def golden() -> dict[str, str]:
    parts = re.split(r"^### (.*)\n", GOLDEN.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (text.rstrip("\n") for text in parts[2::2]), strict=True))


@pytest.mark.parametrize("file", ODD, ids=lambda file: file.stem)
def test_the_text_is_exactly_this(file: Path) -> None:
    warnings = told(file)
    assert "\n".join(warnings) == golden()[file.name]
    assert len(warnings) == 1
    assert "SeCrEt" not in warnings[0]


def test_every_golden_has_its_file() -> None:
    assert list(golden()) == [file.name for file in ODD]


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(f"### {file.name}\n" + "\n".join(told(file)) + "\n" for file in ODD), "utf-8")
