"""An empty list where there was plenty a moment ago: asked again at once and on the next tick, only then believed."""

from __future__ import annotations

from triggerdev_exporter.errors import Truncated


class Suspicion:
    """Remembers, for one list, whether its emptiness was already doubted once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._doubted = False

    def weigh(self, *, was: int, now: int) -> None:
        """Call it after the second asking. Raises `Truncated` the first time that `was` > 0 items became none."""
        if now or not was:
            self._doubted = False
        elif not self._doubted:
            self._doubted = True
            raise Truncated(
                f"{self._what}: the list is suddenly empty, {was} were there; not believed before the next look"
            )
