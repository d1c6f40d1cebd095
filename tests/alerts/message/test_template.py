"""Templates: what they may say, what is told of their mistakes, and that data is never read as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.message.filters import FILTERS
from triggerdev_alerts.message.template import FIELDS, problems, render
from triggerdev_alerts.message.values import Moment, Quantity
from triggerdev_alerts.signals import Unit

VALUES: dict[str, object] = {
    "task": "send-email",
    "target": "shop-prod",
    "alertname": "TaskFailureRateHigh",
    "value": Quantity(0.42, Unit.FRACTION),
    "sample": Quantity(1057, Unit.COUNT),
    "window": Quantity(900_000, Unit.MILLIS),
    "since": Moment(1_763_985_720_000),
    "top_error": "{{ owner }} | upper }}",
    "labels.team": "mail",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain { text } with }} braces", "plain { text } with }} braces"),
        ("{{ task }} fails: {{ value | percent }} of {{ sample }} runs", "send-email fails: 42% of 1,057 runs"),
        ("{{task}}{{ value }}", "send-email42%"),
        ("{{ env }}/{{ alert }}", "shop-prod/TaskFailureRateHigh"),
        ("{{ labels.team | upper }} {{ label:team }}", "MAIL mail"),
        ('{{ labels.other | default:"nobody\'s" }}', "nobody's"),
        ("{{ owner | default:'a | b }}' | upper }}", "A | B }}"),
        ("{{ owner | upper }}.", "."),
        ("{{ task | truncate:5 }}", "send…"),
        ("{{ task | truncate:50 }}", "send-email"),
        ("{{ value | number }} {{ value | money }}", "0.42 $0.42"),
        ("{{ window | duration }} {{ task | duration }}", "15 min send-email"),
        ("{{ since }} {{ since | time }}", "2025-11-24 12:02 UTC 2025-11-24 12:02 UTC"),
        ('{{ since | time:"Europe/Berlin" }}', "2025-11-24 13:02 CET"),
        ("https://x/?t={{ top_error | urlencode }}", "https://x/?t=%7B%7B%20owner%20%7D%7D%20%7C%20upper%20%7D%7D"),
        ("{{ top_error }}", "{{ owner }} | upper }}"),
        ('{{ "{{" }} task }}', "{{ task }}"),
        ("{{\n task\n}}", "send-email"),
        ("", ""),
    ],
)
def test_render(text: str, shown: str) -> None:
    assert problems(text) == []
    assert render(text, VALUES) == shown


@pytest.mark.parametrize(
    ("text", "column", "sentence"),
    [
        ("{{ taks }}", 4, 'unknown field "taks" at column 4 of the template; did you mean "task"?'),
        ("a {{  nonsense}}", 7, 'unknown field "nonsense" at column 7 of the template'),
        (
            "{{ value | percnt }}",
            12,
            'unknown filter "percnt" at column 12 of the template; did you mean "percent"?',
        ),
        ("{{ task | upper:3 }}", 11, 'filter "upper" at column 11 of the template takes no argument'),
        ("{{ task | truncate }}", 11, 'filter "truncate" at column 11 of the template needs an argument: truncate:80'),
        ("{{ task | truncate:0 }}", 11, 'filter "truncate" at column 11 of the template keeps at least 1 character'),
        ("{{ task | default:3 }}", 11, 'filter "default" at column 11 of the template takes it like this: default:"…"'),
        (
            '{{ since | time:"Europe/Berlln" }}',
            12,
            'filter "time" at column 12 of the template knows no time zone "Europe/Berlln"',
        ),
        ("x {{ task", 3, '"{{" at column 3 of the template is never closed'),
        ("{{ }}", 4, "a field is missing at column 4 of the template"),
        ("{{ task | }}", 11, "a filter is missing at column 11 of the template"),
        ("{{ task upper }}", 9, 'expected "|" or "}}" instead of "upper" at column 9 of the template'),
        (
            "{{ task.__class__ }}",
            8,
            'unexpected "." at column 8 of the template; a field is a plain word, like {{ task }} or {{ labels.team }}',
        ),
        ("{{ task() }}", 8, 'unexpected "(" at column 8 of the template'),
        ("{{ {{ task }} }}", 4, 'unexpected "{" at column 4 of the template'),
        ("x" * 10_001, 1, "a template is at most 10,000 characters long"),
    ],
)
def test_problems(text: str, column: int, sentence: str) -> None:
    assert problems(text) == [(column, sentence)]


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    found = problems("{{ taks }} {{ value | percnt }} {{ }} {{ quue | uper }} {{ task")
    assert [column for column, _ in found] == [4, 23, 36, 42, 49, 57]


def test_a_caller_may_allow_other_fields() -> None:
    assert problems("{{ colour }}", ["colour"]) == []
    assert problems("{{ task }}", ["colour"]) != []


def test_what_cannot_be_parsed_comes_back_as_it_was_written() -> None:
    assert render("{{ task | percnt }}", VALUES) == "{{ task | percnt }}"


def test_every_field_and_filter_has_a_meaning() -> None:
    assert all(FIELDS.values())
    assert all(row.help for row in FILTERS.values())


_VALUE = st.none() | st.text() | st.floats() | st.integers() | st.builds(Quantity, st.floats(), st.sampled_from(Unit))
_PIECES = ["{{", "}}", "task", "|", "upper", "truncate:3", "percent", "time", '"', " ", "labels.a", ":", "x"]


@given(
    st.lists(st.sampled_from(_PIECES)).map("".join) | st.text(),
    st.dictionaries(st.sampled_from([*FIELDS, "labels.a"]), _VALUE),
)
def test_nothing_is_raised_for_any_text_and_any_value(text: str, values: dict[str, object]) -> None:
    problems(text)
    assert isinstance(render(text, values), str)


@given(st.sampled_from(sorted(FILTERS)), _VALUE)
def test_no_filter_fails(name: str, value: object) -> None:
    argument = {"truncate": ":3", "default": ':"x"'}.get(name, "")
    assert isinstance(render(f"{{{{ task | {name}{argument} }}}}", {"task": value}), str)


@given(st.text())
def test_data_is_never_parsed(text: str) -> None:
    assert render("a {{ task }} b", {"task": text, "owner": "SECRET"}) == f"a {text} b"
