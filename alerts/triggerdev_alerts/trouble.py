"""A trouble that lasts is told once when it begins and once when it ends, not at every try. Pure."""

from __future__ import annotations


class Trouble:
    """What is wrong with one thing now; nothing at first."""

    def __init__(self) -> None:
        self._why = ""

    def begins(self, why: str) -> bool:
        """It failed, for that reason; whether that is news."""
        is_news = why != self._why
        self._why = why
        return is_news

    def ends(self) -> bool:
        """It went well; whether that is news."""
        was, self._why = self._why, ""
        return bool(was)
