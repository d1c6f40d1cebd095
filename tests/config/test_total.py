"""Whatever stands in the file, loading ends in a config or in sentences: no other exception, no secret."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.documents.positions import read_yaml
from triggerdev_exporter.config import load_config
from triggerdev_exporter.errors import ConfigError

SECRET = "tr_prod_SeCrEtSeCrEtSeCrEt12"
ENVIRON = {"HOME": "/home/me", "A": SECRET}

words = st.sampled_from(
    "targets name labels api_url secret_key_file secret_key_env secret_key branch dialect quota requests_per_minute "
    "share lookback intervals runs queues batches test_runs state web listen log level format A 30s 10% 7 1.5 .nan "
    f"true ~ {SECRET} https://x :9925 batch_x << *a &a ! | > ' \" ? - # @".split()
)
glue = st.sampled_from(
    [": ", ":", "\n", "\n  ", "\n    ", "\n  - ", " ", ", ", "{", "}", "[", "]", "\t", "\r\n", "\x00", "\u2028"]
)
yamlish = st.lists(st.tuples(words, glue), max_size=25).map(lambda pairs: "".join(w + g for w, g in pairs))

leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6), max_leaves=20
)


def outcome(raw: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yml"
        path.write_bytes(raw)
        try:
            loaded = load_config(path, ENVIRON)
        except ConfigError as error:
            return "\n".join(error.mistakes)
        return repr(loaded)


def check(raw: bytes) -> None:
    shown = outcome(raw)
    assert shown
    assert "SeCrEt" not in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@given(yamlish)
def test_yaml_of_a_kind(text: str) -> None:
    check(text.encode())


@given(trees)
def test_any_tree(tree: object) -> None:
    check(repr(tree).replace("None", "~").replace("True", "true").replace("False", "false").encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(raw: bytes) -> None:
    check(raw)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "a: " + "secret-" * 100_000,
        "[" * 1500,
        "{a: " * 1500,
        "- " * 1500,
        "a: &x [*x]",
        "a: " + "9" * 5000,
        '"\\U99999999"',
    ],
)
def test_hostile_files(text: str) -> None:
    check(text.encode())


def test_ten_lines_of_aliases_do_not_make_a_billion_values() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    document = read_yaml("\n".join(lines), "c.yml")
    assert [mistake.code for mistake in document.mistakes] == ["yaml"]
