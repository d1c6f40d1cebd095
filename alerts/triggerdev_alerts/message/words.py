"""The closed words of alerting (reasons, blindness, statuses) as sentences for a person. Rows only."""

from __future__ import annotations

from triggerdev_alerts.alert import Reason
from triggerdev_alerts.signals import Blind

HELD = "held without news since"
"""What begins the sentence about an alert that is kept because nothing can be read."""

REASONS: dict[str, str] = {
    Reason.CONDITION_MET: "the condition holds",
    Reason.CONDITION_CLEARED: "the condition is no longer true",
    Reason.INSUFFICIENT_SAMPLE: "there were too few runs to say more",
    Reason.ENTITY_GONE: "it does not exist any more",
    Reason.NO_DATA: "there is no data, and the rule fires on that",
    Reason.RULE_REMOVED: "its rule was removed",
    Reason.RULE_DISABLED: "its rule was switched off",
    Reason.MANUAL: "it was closed by hand",
}

BLINDNESS: dict[str, str] = {
    Blind.STARTING: "nothing was read yet",
    Blind.FAILING: "the API cannot be read",
    Blind.AUTH: "the API refuses the key",
    Blind.UNSUPPORTED: "the key or the server does not offer it",
    Blind.CATCHING_UP: "the time in question is still being read",
    Blind.UNFILLED: "the window reaches back further than what was read",
    Blind.NOT_ENRICHED: "the server did not tell the details",
    Blind.VANISHED: "everything vanished at once, which is not believed",
    Blind.NOT_RECORDED: "the recording does not hold it",
}


def reason_in_words(reason: str) -> str:
    """A `Reason`; a word that is not known stays as it is."""
    return REASONS.get(reason, reason.replace("_", " "))


def blindness_in_words(reason: str) -> str:
    """A `Blind`, or whatever else says why an alert is held."""
    return BLINDNESS.get(reason, reason)
