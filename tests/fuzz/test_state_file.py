"""A state file that somebody else wrote in: it is refused in a sentence, or it works. Never any other exception."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histories.history import SOAK
from story import tell
from triggerdev_exporter.errors import StateError
from triggerdev_exporter.ledger.store import open_store

EXAMPLES = settings(
    max_examples=5_000 if SOAK else 100, suppress_health_check=list(HealthCheck), deadline=None, print_blob=True
)
#: Where text stands that is JSON to us.
COLUMNS = [("counter", "labels"), ("histogram", "labels"), ("histogram", "bounds"), ("histogram", "cells")]
COLUMNS += [("fact", "value"), ("fact", "value"), ("fact", "kind"), ("fact", "key"), ("counter", "family")]

leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)

pytestmark = pytest.mark.timeout(0 if SOAK else 120)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state file of a daemon that watched the shop for a while."""

    async def live() -> Path:
        async with tell(tmp_path_factory.mktemp("state"), "shop", history_s=1800) as story:
            async with story.daemon() as daemon:
                await story.let(daemon, 120)
                path: Path = daemon.target.journal._store.path  # type: ignore[union-attr]  # it has polled
            return path

    return asyncio.run(live())


async def open_and_load(path: Path) -> str:
    """What became of it: a sentence, or nothing."""
    try:
        store = open_store(path)
    except StateError as error:
        return str(error)
    try:
        for target in ("prod", "unknown"):
            await store.load(target)
    except StateError as error:
        return str(error)
    finally:
        await store.close()
    return ""


def outcome(path: Path) -> str:
    said = asyncio.run(open_and_load(path))
    if said:
        assert said.startswith(f"{path}: ")
        assert said.endswith((".", "anew).", "reset)."))
    return said


def one_thing_changed(told: Any, data: st.DataObject) -> Any:
    """`told` with something in it replaced, added or gone."""
    if isinstance(told, dict) and told and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(told)))
        rest = {name: value for name, value in told.items() if name != key}
        return rest if data.draw(st.booleans()) else {**rest, key: one_thing_changed(told[key], data)}
    if isinstance(told, list) and told and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(told) - 1))
        return [*told[:at], one_thing_changed(told[at], data), *told[at + 1 :]]
    return data.draw(values)


def spoilt(text: str, data: st.DataObject) -> str:
    try:
        told = json.loads(text)
    except ValueError:
        return data.draw(st.text(max_size=10))
    if data.draw(st.booleans()):
        return json.dumps(one_thing_changed(told, data))
    at = data.draw(st.integers(0, len(text)))
    return text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]


@EXAMPLES
@given(data=st.data())
def test_rows_that_somebody_changed(lived_in: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        shutil.copy(lived_in, path)
        table, column = data.draw(st.sampled_from(COLUMNS))
        base = sqlite3.connect(path)
        rows = base.execute(f"SELECT target, {column}, count(*) FROM {table} GROUP BY {column}").fetchall()  # noqa: S608
        target, text, _ = data.draw(st.sampled_from(rows))
        try:
            new = spoilt(text, data).encode("utf-8", "replace").decode()
            with base:
                # The first of the rows that hold it: most columns are half of a key.
                base.execute(
                    f"UPDATE OR REPLACE {table} SET {column} = ? WHERE target = ? AND {column} = ?",  # noqa: S608
                    (new, target, text),
                )
        finally:
            base.close()
        outcome(path)


changes = st.tuples(st.integers(0, 200) | st.integers(0, 2**32), st.integers(0, 64), st.binary(max_size=64))


@EXAMPLES
@given(changed=st.lists(changes, min_size=1, max_size=4), ends=st.sampled_from((None, None, None, 70_000, 4096, 17)))
def test_bytes_that_a_disk_changed(lived_in: Path, changed: list[tuple[int, int, bytes]], ends: int | None) -> None:
    body = bytearray(lived_in.read_bytes())
    for place, length, new in changed:
        at = place % len(body)
        body[at : at + length] = new
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        path.write_bytes(bytes(body[:ends]))
        outcome(path)


@EXAMPLES
@given(body=st.binary(max_size=300))
def test_a_file_of_anything(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        path.write_bytes(body)
        outcome(path)


def test_what_nobody_changed_loads(lived_in: Path, tmp_path: Path) -> None:
    path = shutil.copy(lived_in, tmp_path / "state.db")
    assert outcome(path) == ""
