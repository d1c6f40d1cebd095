"""The state machine against a slow model that is written from the table of states and outcomes, for any history.

The model keeps no clocks: it looks at the whole history again at each step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_stage import LETTERS, NOON, Stage, depth_rule
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.rules.model import OnNoData, Rule

Seen = tuple[str, int]
"""Letter of an outcome, milliseconds after the one before."""


@dataclass
class Model:
    """One series. `past` holds every evaluation; `entered` is where in it the state began."""

    rule: Rule
    state: str = "inactive"
    entered: int = 0
    past: list[Seen] = field(default_factory=list)
    started_at: int | None = None

    def holds(self, letter: str) -> bool:
        return letter == "T" or (letter == "N" and self.rule.on_no_data is OnNoData.FIRING)

    def is_over(self, letter: str) -> bool:
        return letter == "F" or (letter == "N" and self.rule.on_no_data is OnNoData.OK)

    def observed(self, index: int) -> int:
        """How much of the time before evaluation `index` anybody looked."""
        letter, gap = self.past[index]
        return 0 if "E" in (letter, self.past[index - 1][0]) or gap > MINUTE * 1.5 else gap

    def credit(self) -> int:
        total = since_true = 0
        for index in range(self.entered + 1, len(self.past)):
            letter, gap = self.past[index]
            since_true += gap
            if self.holds(letter):
                if since_true > HOUR:
                    total = 0
                elif self.holds(self.past[index - 1][0]):
                    total += self.observed(index)
                since_true = 0
        return total

    def recovered(self) -> int:
        return sum(self.observed(index) for index in range(self.entered + 1, len(self.past)))

    def insufficient(self) -> int:
        """For how long its sample has been too small."""
        index = first = len(self.past) - 1
        while index >= self.entered and self.past[index][0] in "INE":
            first = index if self.past[index][0] == "I" else first
            index -= 1
        return sum(self.observed(each) for each in range(first + 1, len(self.past)))

    def is_gone(self) -> bool:
        if self.rule.on_no_data is OnNoData.FIRING:
            return False
        letters = [letter for letter, _ in self.past[self.entered :] if letter != "E"]
        missing = 0
        while letters and letters.pop() == "N":
            missing += 1
        return missing >= self.rule.missing_after

    def tell(self, letter: str, gap: int) -> str:
        """What changes, as the stage says it."""
        known_before = (
            any(each != "E" for each, _ in self.past) and [each for each, _ in self.past if each != "E"][-1] != "N"
        )
        self.past.append((letter, gap))
        rule, now = self.rule, sum(each for _, each in self.past)
        suffix = ":no_data" if letter == "N" else ""
        over = {"I": ":few", "N": ":gone"}.get(letter, "")
        match self.state:
            case "inactive":
                if letter == "T" or (self.holds(letter) and known_before):
                    return self.enter("pending" if rule.for_ else "firing", now, suffix)
            case "pending":
                if self.holds(letter) and self.credit() >= rule.for_:
                    return self.enter("firing", now, suffix)
                if letter == "I" or self.is_over(letter) or (letter == "N" and self.is_gone()):
                    return self.leave("dropped", over)
            case "firing":
                if self.is_over(letter):
                    if rule.keep_firing_for:
                        return self.enter("recovering", now, over)
                    return self.leave("resolved", over)
                if letter == "I" and self.insufficient() >= rule.hold_insufficient_for:
                    return self.leave("resolved", over)
                if letter == "N" and self.is_gone():
                    return self.leave("resolved", over)
            case "recovering":
                if self.holds(letter):
                    self.enter("firing", self.started_at, "")
                    return "resumed" + suffix
                if self.recovered() >= rule.keep_firing_for:
                    if letter in "FI" or self.is_over(letter):
                        return self.leave("resolved", over if letter == "N" else "")
                    if letter == "N" and self.is_gone():
                        return self.leave("resolved", over)
        return "."

    def enter(self, state: str, now: int | None, suffix: str) -> str:
        self.state, self.entered = state, len(self.past) - 1
        if state == "firing":
            self.started_at = now
        return state + suffix

    def leave(self, how: str, suffix: str) -> str:
        self.state = "inactive"
        return how + suffix


GAPS = st.sampled_from([MINUTE] * 6 + [MINUTE // 2, MINUTE * 3 // 2, MINUTE * 2, 20 * MINUTE, HOUR, HOUR + 1])
HISTORIES = st.lists(st.tuples(st.sampled_from("TTTTFFCINE"), GAPS), min_size=1, max_size=40)
RULES = st.builds(
    lambda **more: depth_rule(**more),
    for_=st.sampled_from([0, 0, MINUTE, 3 * MINUTE]),
    keep_firing_for=st.sampled_from([0, 0, MINUTE, 4 * MINUTE]),
    hold_insufficient_for=st.sampled_from([0, 2 * MINUTE, 5 * MINUTE]),
    missing_after=st.sampled_from([1, 2, 3]),
    on_no_data=st.sampled_from([OnNoData.KEEP_STATE, OnNoData.KEEP_STATE, OnNoData.OK, OnNoData.FIRING]),
)


@settings(max_examples=400, deadline=None)
@given(RULES, HISTORIES)
def test_any_history_goes_as_the_table_says(rule: Rule, history: list[Seen]) -> None:
    stage, model = Stage(rule), Model(rule)
    for index, (letter, gap) in enumerate(history):
        after = gap if index else 0
        advanced = stage.tell(LETTERS[letter], after)
        told = stage.shown(advanced)

        assert told == model.tell(letter, after), history[: index + 1]
        assert ("inactive" if not stage.alerts else stage.alert.state) == model.state
        if model.state in ("firing", "recovering"):
            assert stage.alert.fired_at == NOON + (model.started_at or 0)
