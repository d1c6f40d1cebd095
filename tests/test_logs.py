"""Lines of the log: for a person, for a machine, and without a secret in either."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from triggerdev_alerts.trouble import Trouble
from triggerdev_exporter import logs

KEY = 'tr_prod_a"secret\\key'
log = logging.getLogger("triggerdev_exporter.somewhere")

Log = Callable[[str], io.StringIO]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def written() -> Iterator[Log]:
    """``written("json")``: the stream that is logged to from now on."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def set_up(format_: str, stream: io.StringIO | None = None) -> io.StringIO:
        out = stream or io.StringIO()
        logs.set_up("info", format_, secrets=[KEY], stream=out)
        return out

    yield set_up
    root.handlers[:] = before
    root.setLevel(level)


def test_for_a_person(written: Log) -> None:
    out = written("text")
    log.warning("failing", extra={"target": "prod", "why": 'no "answer"', "empty": "", "n": 5})
    line = out.getvalue()
    assert line[8:] == ' WARNING failing target=prod why="no \\"answer\\"" empty="" n=5\n'


def test_for_a_machine(written: Log) -> None:
    out = written("json")
    log.warning("failing", extra={"target": "prod", "n": 5, "event": "mine", "none": None})
    line = json.loads(out.getvalue())
    assert line.pop("ts") > 0
    assert line == {
        "level": "warning",
        "event": "failing",
        "logger": "triggerdev_exporter.somewhere",
        "target": "prod",
        "n": 5,
        "none": None,
    }


def test_a_terminal_gets_text_and_everything_else_json(written: Log) -> None:
    for stream, is_text in ((Terminal(), True), (io.StringIO(), False)):
        out = written("auto", stream)  # type: ignore[call-arg]  # the fixture's
        log.info("hello")
        assert out.getvalue().startswith("{") is not is_text


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_secret_is_taken_out_wherever_it_stands(written: Log, format_: str) -> None:
    out = written(format_)
    try:
        raise ValueError(f"refused: {KEY}")
    except ValueError:
        log.exception(
            "broke with %s", KEY, extra={"why": f"Bearer {KEY}", "list": [KEY], "url": f"https://x/{quote(KEY)}"}
        )
    logs.hide(["another-secret", "short"])
    log.info("another-secret, another-secret and short")
    assert KEY not in out.getvalue()
    assert "secret\\" not in out.getvalue()
    assert '"secret' not in out.getvalue()
    assert "another-secret" not in out.getvalue()
    assert "[key], [key] and short" in out.getvalue()
    assert "Traceback" in out.getvalue()


def test_what_comes_from_elsewhere_does_not_move_the_cursor(written: Log) -> None:
    out = written("text")
    log.warning("task \x1b[2J\r gone", extra={"why": "\x1b[31m\nred", "ok": "fine"})
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_the_level_can_be_changed(written: Log) -> None:
    out = written("text")
    log.debug("not yet")
    logs.set_level("debug")
    log.debug("now")
    assert out.getvalue().endswith(" DEBUG now\n")
    assert "not yet" not in out.getvalue()


def test_a_trouble_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    trouble = Trouble()
    assert not trouble.ends()
    assert [trouble.begins(why) for why in ("full", "full", "locked", "locked")] == [True, False, True, False]
    assert [trouble.ends(), trouble.ends()] == [True, False]
    assert trouble.begins("full")
