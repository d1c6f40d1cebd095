"""Every mistake we know of, one a file in `bad/`, against the whole text that a person sees (`bad.txt`).

To keep new texts: ``PYTHONPATH=exporter:alerts .venv/bin/python tests/alerts/rules/test_bad_files.py``, then read the
diff.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.rules.files import gather_rules
from triggerdev_alerts.rules.load import read_rules

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yml"))
GOLDEN = HERE / "bad.txt"


def told(file: Path) -> tuple[str, ...]:
    with contextlib.chdir(file.parent), pytest.raises(RulesError) as raised:
        read_rules(gather_rules([file.name]).files)
    assert raised.value.exit_code == 2
    return raised.value.mistakes


def golden() -> dict[str, str]:
    parts = re.split(r"^### (.*)\n", GOLDEN.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (text.rstrip("\n") for text in parts[2::2]), strict=True))


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_the_text_is_exactly_this(file: Path) -> None:
    mistakes = told(file)
    assert "\n".join(mistakes) == golden()[file.name]
    assert len(mistakes) == 1 or file.stem.startswith("many")


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_no_secret_and_no_foreign_words_are_in_it(file: Path) -> None:
    text = "\n".join(told(file))
    assert "SeCrEt" not in text
    assert not re.search(r"(?i)input should|pydantic|traceback|ruamel|errno|value error", text)


def test_every_golden_has_its_file() -> None:
    assert list(golden()) == [file.name for file in BAD]


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(f"### {file.name}\n" + "\n".join(told(file)) + "\n" for file in BAD), "utf-8")
