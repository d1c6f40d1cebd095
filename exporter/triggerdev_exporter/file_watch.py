"""Whether files changed, by looking at them now and then. It reads none of them and decides nothing about them.

Looking works wherever files come from: an editor that writes a new file, a network file system, and Kubernetes, which
swaps a link (``..data``) above the file: what is looked at is what the path leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_EVERY_S = 2.0
RETRY_LOOKS = 30
"""After that many looks what was refused is tried again: what it lacked may lie where nobody looks."""

Sign = tuple[tuple[str, int, int, int], ...]


class Watch:
    """Remembers how files looked when they were last used."""

    def __init__(self, paths: Callable[[], Iterable[Path]]) -> None:
        self._paths = paths
        self._used = self._last = sign(paths())
        self._looks = 0

    def look(self, *, retry: bool = False) -> bool:
        """Whether it is time to read them again: they changed, and not since the look before (nobody is writing).

        With `retry` also every now and then though nothing changed.
        """
        now = sign(self._paths())
        is_still, self._last = now == self._last, now
        self._looks = self._looks + 1 if retry else 0
        return is_still and (now != self._used or self._looks >= RETRY_LOOKS)

    def settle(self) -> None:
        """They were read, for better or worse: what comes next is compared with how they are now."""
        self._looks = 0
        # As they were at that look: what changed since then may not have been read, and is noticed at the next one.
        known = {one[0]: one for one in self._last}
        self._used = tuple(known.get(one[0], one) for one in sign(self._paths()))


def sign(paths: Iterable[Path]) -> Sign:
    """What tells whether files are the same ones with the same content; a missing one has a sign too."""
    return tuple(sorted(_of(path) for path in set(paths)))


def _of(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
