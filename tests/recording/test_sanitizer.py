"""Identities are replaced consistently, and a recording with a secret is not written."""

import json

import pytest

from tests.recording.sanitizer import Sanitizer

ID = "904837e3-3b76-47ec-b432-046db621571b"
OTHER = "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415"


def test_the_same_identifier_gets_the_same_substitute() -> None:
    sanitizer = Sanitizer()
    first = sanitizer.sanitize({"id": ID, "legs": [{"parent": ID.upper()}, {"id": OTHER}]})
    assert first["id"] == first["legs"][0]["parent"] != first["legs"][1]["id"]
    assert ID not in json.dumps(first)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("account_number", "PA3QXXXXXXXX"),
        ("message", "ask jane.doe@mail.example.org"),
        ("client_order_id", "jane's first order"),
        ("user_id", "jane"),
        ("message", "invalid key PKABCDEFGHIJKLMNOPQR"),
        ("message", "your secret is s3cr3t-value"),
    ],
)
def test_an_identity_is_replaced(member: str, value: str) -> None:
    sanitizer = Sanitizer("s3cr3t-value")
    text = json.dumps(sanitizer.sanitize({member: value}))
    assert not any(word in text for word in ("jane", "PA3Q", "PKABCDEF", "s3cr3t"))
    sanitizer.check(text)


def test_a_secret_that_remains_is_an_error() -> None:
    """Also where it is not a value: as the name of a member."""
    sanitizer = Sanitizer("s3cr3t-value")
    with pytest.raises(ValueError, match="still in the recording"):
        sanitizer.check(json.dumps(sanitizer.sanitize({"s3cr3t-value": 1})))


def test_figures_and_times_stay() -> None:
    order = {"qty": "10", "filled_avg_price": "187.41", "submitted_at": "2026-10-06T14:00:00.1Z"}
    assert Sanitizer().sanitize(order) == order
