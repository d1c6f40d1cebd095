"""Every error this package raises on purpose, as one small tree. Foreign exceptions are translated where they enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class AlertsError(Exception):
    """Base of all errors meant for a person; `exit_code` is what a command ends with."""

    exit_code: ClassVar[int] = 1


class RulesError(AlertsError):
    """What a person wrote about alerts cannot be used. `mistakes` are ready to print, one a mistake."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)
