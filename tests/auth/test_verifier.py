import pytest

from realtime.auth.errors import TokenRefused
from realtime.auth.keys import secrets_of
from realtime.auth.tokens import TokenRules
from realtime.auth.verifier import REMEMBERED, Verifier
from tests.auth.made import NOW, OTHER_SECRET, SECRET, claims, signed

KEYS = secrets_of(SECRET)


def test_a_remembered_token_ends_when_it_ends() -> None:
    verifier, token = Verifier(TokenRules(leeway_s=0), KEYS), signed(claims(exp=NOW + 1))
    assert verifier.principal(token, NOW) is verifier.principal(token, NOW + 0.9)
    for _ in range(2):
        with pytest.raises(TokenRefused, match="expired"):
            verifier.principal(token, NOW + 1)


def test_a_changed_secret_ends_what_the_old_one_signed() -> None:
    verifier, token = Verifier(TokenRules(), KEYS), signed(claims())
    verifier.principal(token, NOW)
    assert not verifier.take(TokenRules(), secrets_of(SECRET))
    assert verifier.take(TokenRules(), secrets_of(OTHER_SECRET))
    with pytest.raises(TokenRefused):
        verifier.principal(token, NOW)


def test_a_changed_rule_ends_what_kept_the_old_one() -> None:
    verifier, token = Verifier(TokenRules(), KEYS), signed(claims())
    verifier.principal(token, NOW)
    assert verifier.take(TokenRules(issuer="us"), KEYS)
    with pytest.raises(TokenRefused):
        verifier.principal(token, NOW)


def test_what_is_remembered_is_bounded() -> None:
    verifier = Verifier(TokenRules(), KEYS)
    for number in range(REMEMBERED + 10):
        verifier.principal(signed(claims(user_id=str(number))), NOW)
    assert len(verifier._known) == REMEMBERED


def test_without_keys_nobody_is_believed() -> None:
    verifier = Verifier(TokenRules())
    assert not verifier.has_keys
    with pytest.raises(TokenRefused):
        verifier.principal(signed(claims()), NOW)
