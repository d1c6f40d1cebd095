"""How many spans a trace has got, so that none grows without bounds. In memory only: a restart counts anew.

Only trees with children are counted, and of these the ones that grew lately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

MAX_TREES = 10_000


class Trees:
    """Those of a ledger, by the id of the root run."""

    def __init__(self) -> None:
        self._spans: OrderedDict[str, int] = OrderedDict()

    def spans(self, root_id: str) -> int:
        return self._spans.get(root_id, 0)

    def grow(self, grown: Mapping[str, int]) -> None:
        """Add what was sealed; the tree that has not grown for longest is forgotten for a new one."""
        for root_id, spans in grown.items():
            self._spans[root_id] = self._spans.pop(root_id, 0) + spans
            if len(self._spans) > MAX_TREES:
                self._spans.popitem(last=False)
