"""A key that cannot be printed by accident. Everything that shows text of the API edge goes through `Secret.scrub`."""

from __future__ import annotations

import re

MASK = "[key]"

# Other keys may come back in an answer (a rotated one, somebody else's): hide whatever looks like one of Trigger.dev's.
_LOOKS_LIKE_A_KEY = re.compile(r"\btr_(?:dev|stg|prod|preview|pat|oat|uat)_\w+")


class Secret:
    """A key. Only `reveal` gives it away; it is compared by value so that a reload can tell whether it changed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The key itself, for the Authorization header and for nothing else."""
        return self._text

    def scrub(self, text: str) -> str:
        """`text` without this key and without anything that looks like another."""
        if self._text:
            text = text.replace(self._text, MASK)
        return _LOOKS_LIKE_A_KEY.sub(MASK, text)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not written anywhere")
