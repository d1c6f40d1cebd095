"""Units: what is read, what is written back, and that text of any kind is either read or told."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triggerdev_alerts.documents.mistakes import Unfit, mask
from triggerdev_alerts.documents.units import format_duration, format_percent, parse_duration, parse_percent
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND
from triggerdev_exporter.config.addresses import Listen, parse_listen


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("250ms", 250),
        ("30s", 30 * SECOND),
        ("0s", 0),
        ("5m", 5 * MINUTE),
        ("90m", 90 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1d12h", 36 * HOUR),
        ("2w", 14 * DAY),
        ("1w1d1h1m1s1ms", 8 * DAY + HOUR + MINUTE + SECOND + 1),
    ],
)
def test_durations(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1.5h", "-1m", "30 s", "1m1h", "1m1m", "5M", "\u0661s", "1h ", True, None]
)
def test_no_durations(text: object) -> None:
    with pytest.raises(Unfit, match="is not a duration; write"):
        parse_duration(text)


@given(st.integers(0, 10**14))
def test_a_duration_survives_the_round_trip(millis: int) -> None:
    assert parse_duration(format_duration(millis)) == millis


@given(st.decimals(0, 1000, places=6, allow_nan=False))
def test_a_percentage_survives_the_round_trip(percent: object) -> None:
    fraction = parse_percent(f"{percent:f}%")
    assert parse_percent(format_percent(fraction)) == fraction


@pytest.mark.parametrize("text", ["10", "ten%", "%", "-1%", "1e3%", "10 %", "1,5%", 10, 0.1, True, None])
def test_no_percentages(text: object) -> None:
    with pytest.raises(Unfit, match="is not a percentage; write"):
        parse_percent(text)


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none())
@example("9" * 5000 + "s")
def test_what_is_not_read_is_told(value: object) -> None:
    for parse in (parse_duration, parse_percent, parse_listen):
        try:
            parse(value)
        except Unfit as unfit:
            assert unfit.code  # noqa: PT017 - both outcomes are right; a third is not
            assert len(unfit.text) < 250  # noqa: PT017


@pytest.mark.parametrize("text", ["127.0.0.1:9925", "localhost:0", "[::1]:80", "exporter.internal:65535"])
def test_an_address_survives_the_round_trip(text: str) -> None:
    assert str(parse_listen(text)) == text


def test_a_bare_port_listens_everywhere() -> None:
    assert parse_listen(":9925") == Listen("0.0.0.0", 9925)  # noqa: S104 - what it means


@pytest.mark.parametrize(
    "text", ["", "9925", "host", "host:", "host:-1", "::1:80", "http://x:1", "host:65536", "a b:1"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(Unfit):
        parse_listen(text)


@given(
    st.sampled_from(["tr_prod_", "tr_dev_", "tr_prod_sk_", "tr_pat_", "pk_dev_"]),
    st.from_regex(r"\A[0-9A-Za-z]{16,40}\Z"),
    st.sampled_from(["{}", "key: {}", '"{}"', "secret_key: '{}' # x", "--key={}", "a{}: x", "[x, {}, y]"]),
)
def test_a_key_is_masked_wherever_it_stands(prefix: str, rest: str, frame: str) -> None:
    text = frame.format(prefix + rest)
    if frame != "a{}: x":  # part of a longer word, which is no key
        assert rest not in mask(text)
    assert len(mask(text)) == len(text)
