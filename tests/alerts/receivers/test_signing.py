"""Signatures as Standard Webhooks 1.0.0 wants them, against the vector that it publishes."""

from __future__ import annotations

import base64

import pytest

from triggerdev_alerts.receivers.signing import headers, parse_secrets

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


def test_the_published_vector() -> None:
    found = headers(parse_secrets(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330_999, '{"test": 2432232314}')
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_both_sign() -> None:
    both = headers(parse_secrets(f"{SECRET}\n{OTHER}\n"), "msg_1", 0, "{}")["webhook-signature"].split(" ")
    assert both == [headers(parse_secrets(secret), "msg_1", 0, "{}")["webhook-signature"] for secret in (SECRET, OTHER)]


def test_without_a_secret_there_is_still_an_id() -> None:
    assert headers((), "msg_1", 5_000, "{}") == {"webhook-id": "msg_1", "webhook-timestamp": "5"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 'begins with "whsec_"'),
        ("whsec_not base64!", "not base64"),
        ("whsec_c2hvcnQ=", "holds 24 to 64 bytes, this one 5"),
        (" \n", "no signing secret"),
    ],
)
def test_a_bad_secret_is_told_without_showing_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_secrets(text)
    assert "c2hvcnQ" not in str(caught.value)
    assert "MfKQ9r8" not in str(caught.value)
