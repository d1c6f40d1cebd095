"""Which addresses may be written to."""

from __future__ import annotations

import pytest

from triggerdev_alerts.receivers.addresses import policy, problem_of_url

PUBLIC = policy(False)


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 100.64.0.1 169.254.169.254 172.31.255.255 192.0.0.8 192.168.1.1 198.19.0.1 "
    "203.0.113.9 224.0.0.1 255.255.255.255 ::1 ::127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: "
    "2001::1 fd00::1 fe80::1%eth0 ff02::1 2001:db8::1".split(),
)
def test_nothing_inner_or_special_is_public(address: str) -> None:
    assert "allow_private" in (PUBLIC.refusal(address) or "")
    assert policy(True).refusal(address) is None


@pytest.mark.parametrize("address", "1.1.1.1 8.8.8.8 172.32.0.1 100.128.0.1 2606:4700::1111 192.0.1.1".split())
def test_the_internet_is_public(address: str) -> None:
    assert PUBLIC.refusal(address) is None


@pytest.mark.parametrize("text", ["2130706433", "0177.0.0.1", "127.1", ""])
def test_what_only_looks_like_an_address_is_refused(text: str) -> None:
    assert PUBLIC.refusal(text) == f"{text} is no address"


def test_only_the_allowed_networks_open() -> None:
    inner = policy(["10.1.0.0/16"])
    assert inner.refusal("10.1.2.3") is None
    assert inner.refusal("::ffff:10.1.2.3") is None
    assert inner.refusal("10.2.0.1") is not None


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST.", "printer.local", "metadata.google.internal", "a.localhost"]
)
def test_inner_names_are_refused_before_they_are_resolved(name: str) -> None:
    assert PUBLIC.refusal_of_name(name) is not None
    assert policy(["10.0.0.0/8"]).refusal_of_name(name) is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://hooks.example.com/x", None),
        ("http://10.0.0.1:8080/", None),
        ("ftp://example.com", "begins with"),
        ("file:///etc/passwd", "begins with"),
        ("https://user:pass@example.com/", "cannot stand in the URL"),
        ("https://", "not a URL"),
        ("https://exa mple.com", "not a URL"),
        ("https://example.com:99999/", "not a URL"),
    ],
)
def test_a_url_is_looked_at_before_it_is_used(url: str, says: str | None) -> None:
    problem = problem_of_url(url)
    assert problem is None if says is None else says in (problem or "")
