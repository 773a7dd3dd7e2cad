"""Signatures by the Standard Webhooks specification."""

from realtime.auth.webhook_signature import decode_webhook_secret, sign_webhook

KEY = decode_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_a_known_signature() -> None:
    """The example of the reference libraries' tests."""
    signature = sign_webhook(
        [KEY], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_keys_make_two_signatures() -> None:
    first, second = sign_webhook([KEY, b"x" * 24], "msg_1", 1, b"{}").split(" ")
    assert first != second
    assert first == sign_webhook([KEY], "msg_1", 1, b"{}")
