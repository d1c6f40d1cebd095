"""A run's tags as values: ``team:billing`` is the value ``billing`` of the tag ``team``. Pure.

Tags are free text that programs make up, so only those that a person named in the configuration become labels
(`metrics.tags`), and of each only so many values. A run counts once for each of them, so that sums stay true.
"""

from __future__ import annotations

from collections.abc import Iterable

TAGGED = "runs_by_tag_finished_total"
"""The family."""
UNTAGGED = "__none__"
"""The value of a run without that tag."""
BARE = "true"
"""The value of a tag that has none: ``urgent``."""
SEPARATORS = ":=_"
"""What may stand between a tag and its value; Trigger.dev's own documentation writes ``user_123`` and ``org:abc``."""


def value_of(tag: str, tags: Iterable[str]) -> str:
    """The value of `tag` among the `tags` of a run: of the first that has one."""
    for one in tags:
        if one == tag:
            return BARE
        if one.startswith(tag) and one[len(tag)] in SEPARATORS:
            return one[len(tag) + 1 :] or BARE
    return UNTAGGED
