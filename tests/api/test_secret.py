from __future__ import annotations

import pickle

import pytest

from triggerdev_exporter.api.secret import MASK, Secret

KEY = "tr_prod_abcDEF0123456789"


def test_nothing_shows_the_key_but_reveal() -> None:
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>20}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not [text for text in shown if KEY in text]
    assert secret.reveal() == KEY


def test_it_is_not_written_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))
    assert not hasattr(Secret(KEY), "__dict__")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (f"Bearer {KEY} is bad", f"Bearer {MASK} is bad"),
        (f"{KEY}{KEY}", f"{MASK}{MASK}"),
        ("tr_dev_sk_someoneElses", MASK),
        ("tr_pat_x and tr_oat_y", f"{MASK} and {MASK}"),
        ("nothing here", "nothing here"),
    ],
)
def test_scrub(text: str, scrubbed: str) -> None:
    assert Secret(KEY).scrub(text) == scrubbed


def test_a_key_of_any_shape_is_scrubbed() -> None:
    assert Secret("s3cr3t!").scrub("x s3cr3t! y") == f"x {MASK} y"
    assert Secret("").scrub("as it was") == "as it was"


def test_a_reload_can_tell_whether_it_changed() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")
    assert len({Secret(KEY), Secret(KEY)}) == 1
