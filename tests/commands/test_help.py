"""What `--help` lists: a newcomer reads whole sentences there, on a terminal of eighty columns."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from triggerdev_exporter.cli import cli


def groups(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from groups(command, *path, name)


@pytest.mark.parametrize("path", list(groups(cli)), ids=lambda path: " ".join(path) or "all")
def test_no_sentence_is_cut_off(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80).stdout
    assert [line for line in shown.splitlines() if line.endswith("...") and not line.startswith("Usage:")] == []
