"""How many spans a trace has got: the trees that grew lately are known, the others forgotten."""

from __future__ import annotations

import pytest

from triggerdev_exporter.ledger import trees
from triggerdev_exporter.ledger.trees import Trees


def test_the_tree_that_has_not_grown_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_TREES", 2)
    known = Trees()
    for grown in ({"a": 3}, {"b": 3}, {"a": 2}, {"c": 1}):
        known.grow(grown)
    assert [known.spans(root) for root in "abc"] == [5, 0, 1]
