"""Every error this package raises on purpose, as one small tree. Foreign exceptions are translated where they enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from triggerdev_alerts.documents.mistakes import Mistake, render


class AlertsError(Exception):
    """Base of all errors meant for a person; `exit_code` is what a command ends with."""

    exit_code: ClassVar[int] = 1


class RulesError(AlertsError):
    """What a person wrote about alerts cannot be used: every mistake there is."""

    exit_code = 2

    def __init__(self, found: Sequence[Mistake]) -> None:
        self.found = tuple(found)
        self.mistakes = tuple(render(mistake) for mistake in found)
        """Ready to print, one a mistake."""
        super().__init__("\n".join(self.mistakes))


class BookError(AlertsError):
    """The book of alerts cannot be read or written; says what to do."""
