import pytest

from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRefused, TokenRules
from realtime.auth.verifier import MAX_CACHED_TOKENS, Verifier
from tests.auth.made import NOW, OTHER_SECRET, SECRET, claims, signed

KEYS = parse_secrets(SECRET)


def test_a_remembered_token_ends_when_it_ends() -> None:
    verifier, token = Verifier(TokenRules(leeway_s=0), KEYS), signed(claims(exp=NOW + 1))
    assert verifier.get_principal(token, NOW) is verifier.get_principal(token, NOW + 0.9)
    for _ in range(2):
        with pytest.raises(TokenRefused, match="expired"):
            verifier.get_principal(token, NOW + 1)


def test_a_changed_secret_ends_what_the_old_one_signed() -> None:
    verifier, token = Verifier(TokenRules(), KEYS), signed(claims())
    verifier.get_principal(token, NOW)
    assert not verifier.update(TokenRules(), parse_secrets(SECRET))
    assert verifier.update(TokenRules(), parse_secrets(OTHER_SECRET))
    with pytest.raises(TokenRefused):
        verifier.get_principal(token, NOW)


def test_a_changed_rule_ends_what_kept_the_old_one() -> None:
    verifier, token = Verifier(TokenRules(), KEYS), signed(claims())
    verifier.get_principal(token, NOW)
    assert verifier.update(TokenRules(issuer="us"), KEYS)
    with pytest.raises(TokenRefused):
        verifier.get_principal(token, NOW)


def test_what_is_remembered_is_bounded() -> None:
    verifier = Verifier(TokenRules(), KEYS)
    for number in range(MAX_CACHED_TOKENS + 10):
        verifier.get_principal(signed(claims(user_id=str(number))), NOW)
    assert len(verifier._principals) == MAX_CACHED_TOKENS


def test_without_keys_nobody_is_believed() -> None:
    verifier = Verifier(TokenRules())
    assert not verifier.has_keys
    with pytest.raises(TokenRefused):
        verifier.get_principal(signed(claims()), NOW)
