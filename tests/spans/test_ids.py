"""Ids: the published vectors, and the same from another language. Whoever computes one needs nothing but SHA-256."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from triggerdev_exporter.spans import ids

VECTORS = {
    # run, part → id. The first two are the published ones.
    ("trace", "run_cm0abc", ""): "158c3b7969bc1b264fe639aa8f75bfda",
    ("span", "run_cm0abc", ""): "0f96df1a46a5675b",
    ("span", "run_cm0abc", "delay"): "1961923f8a34e950",
    ("span", "run_cm0abc", "queue"): "46d41ad46f380385",
    ("span", "run_cm0abc", "execute"): "ded145299ad6303a",
    ("trace", "batch_cm0abc", ""): "2b9d3c5fb5aa3a00f185452250efafa2",
    ("span", "batch_cm0abc", ""): "ed49f79bb3aeaa46",
}
DOCS = Path(__file__).parents[2] / "docs" / "spans.md"

NODE = """
const { createHash } = require("node:crypto");
const hex = (text, bytes) => createHash("sha256").update(text, "utf8").digest().subarray(0, bytes).toString("hex");
const traceId = (root) => hex("trigger.dev/trace/" + root, 16);
const spanId = (run, part) => hex("trigger.dev/span/" + run + (part ? "/" + part : ""), 8);
const asked = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(([what, id, part]) => (what === "trace" ? traceId(id) : spanId(id, part)))));
"""


def ours(what: str, id_: str, part: str) -> str:
    return ids.trace_id(id_) if what == "trace" else ids.span_id(id_, part)


@pytest.mark.parametrize(("asked", "expected"), VECTORS.items())
def test_the_published_vectors(asked: tuple[str, str, str], expected: str) -> None:
    assert ours(*asked) == expected


def test_the_documentation_lists_them() -> None:
    told = set(re.findall(r"`([0-9a-f]{32}|[0-9a-f]{16})`", DOCS.read_text()))
    assert set(VECTORS.values()) <= told


def test_node_computes_the_same(require: Callable[[str], str]) -> None:
    node = require("node")
    random = Random(1)
    asked = [list(vector) for vector in VECTORS]
    for _ in range(500):
        id_ = "run_" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789é漢", k=25))
        asked.append([random.choice(["trace", "span"]), id_, random.choice(["", "queue", "delay", "execute"])])
    answer = subprocess.run([node, "-e", NODE], input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == [ours(what, id_, part if what == "span" else "") for what, id_, part in asked]


def test_an_id_of_zeros_is_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hashlib.sha256

    class Zero:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def digest(self) -> bytes:
            return bytes(32) if self._data.startswith(b"trigger.dev/") else real(self._data).digest()

    monkeypatch.setattr(ids.hashlib, "sha256", Zero)
    assert ids.span_id("run_1") == real(bytes(32)).digest()[:8].hex()


def test_different_things_have_different_ids() -> None:
    found = {ids.span_id(f"run_{number}", part) for number in range(2_000) for part in ("", "queue", "execute")}
    assert len(found) == 6_000
