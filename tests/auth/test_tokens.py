import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import (
    MAX_TOKEN_LENGTH,
    TokenRefused,
    TokenRules,
    issue_token,
    verify_token,
)
from tests.auth.made import NOW, OTHER_SECRET, SECRET, b64, claims, signed, unsigned

KEYS = parse_secrets(SECRET)
PLAIN = TokenRules()


def refusal(token: str, rules: TokenRules = PLAIN, now: float = NOW) -> str:
    with pytest.raises(TokenRefused) as refused:
        verify_token(token, KEYS, rules, now)
    return f"{refused.value.code}: {refused.value.message}"


def test_a_good_token_is_its_holder() -> None:
    token_id = verify_token(signed(claims()), KEYS, TokenRules(leeway_s=5), NOW)
    assert token_id.user_id == "ann"
    assert token_id.accounts == frozenset({"alpha", "bravo"})
    assert token_id.permissions == {"account_access"}
    assert token_id.expires_at == NOW + 605
    assert token_id.can_see("alpha")
    assert not token_id.can_see("charlie")
    assert not token_id.has_permission("trading")


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("alpha", {"alpha"}),
        (["alpha"], {"alpha"}),
        ([], set()),
        (None, set()),
        ("*", None),
        (["alpha", "*"], None),
    ],
)
def test_the_accounts_of_a_token(given: object, seen: set[str] | None) -> None:
    """A token that names none sees none: what is left out permits nothing."""
    assert verify_token(signed(claims(account_id=given)), KEYS, TokenRules(), NOW).accounts == seen


def test_permissions_of_other_programs_are_theirs() -> None:
    token = signed(claims(permissions=["admin", "launch_rockets", "ADMIN"]))
    assert verify_token(token, KEYS, TokenRules(), NOW).permissions == {"admin"}


WRONG = {
    "empty": "",
    "one part": "abc",
    "five parts": "a.b.c.d.e",
    "not base64": "!!.!!.!!",
    "header not JSON": f"{b64(b'{')}.{b64(b'{}')}.x",
    "header a list": signed(claims()).replace(b64(b'{"alg"'), b64(b'["alg"')),
    "deep header": f"{b64(b'[' * 2800)}..",
    "no algorithm": unsigned({"alg": "none"}, claims()) + ".",
    "none with a signature": signed(claims(), header={"alg": "none"}),
    "NONE in capitals": unsigned({"alg": "NONE"}, claims()) + ".",
    "algorithm left out": signed(claims(), header={"typ": "JWT"}),
    "algorithm a list": signed(claims(), header={"alg": ["HS256"]}),
    "longer digest": signed(claims(), header={"alg": "HS512"}),
    "public key algorithm": signed(claims(), header={"alg": "RS256"}),
    "strange key": signed(claims(), secret=OTHER_SECRET),
    "empty key": signed(claims(), secret=b""),
    "signature left out": unsigned({"alg": "HS256"}, claims()) + ".",
    "signature cut": signed(claims())[:-4],
    "payload not read": signed(claims(), header={"alg": "HS256", "b64": False, "crit": ["b64"]}),
    "unknown and critical": signed(claims(), header={"alg": "HS256", "crit": ["exp"]}),
    "its own key": signed(
        claims(), secret=OTHER_SECRET, header={"alg": "HS256", "jwk": {"kty": "oct", "k": "eA"}}
    ),
    "key id a path": signed(claims(), OTHER_SECRET, {"alg": "HS256", "kid": "/dev/null"}),
    "key id a list": signed(claims(), header={"alg": "HS256", "kid": []}),
    "too long": signed(claims(more="x" * MAX_TOKEN_LENGTH)),
    "claims a list": signed([1, 2]),
    "no end": signed(claims(exp=None)),
    "end a word": signed(claims(exp=str(int(NOW) + 600))),
    "end true": signed(claims(exp=True)),
    "end never": signed(claims(exp=1e300)),
    "nobody": signed(claims(user_id=None)),
    "a number": signed(claims(user_id=7)),
    "no name": signed(claims(user_id="")),
    "accounts a number": signed(claims(account_id=7)),
    "accounts a table": signed(claims(account_id={"alpha": True})),
    "accounts mixed": signed(claims(account_id=["alpha", 7])),
    "permissions a word": signed(claims(permissions="admin")),
    "not yet": signed(claims(nbf=NOW + 60)),
    "another's": signed(claims(aud="another")),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_not_believed(kind: str) -> None:
    assert refusal(WRONG[kind]).startswith("token_invalid")


def test_swapped_claims_are_not_believed() -> None:
    """The signature of one token under the claims from another."""
    mine, theirs = signed(claims()), signed(claims(account_id="*"))
    head, _, signature = mine.split(".")
    swapped = ".".join([head, theirs.split(".")[1], signature])
    assert refusal(swapped) == "token_invalid: the token is not signed by a key of this daemon"


def test_a_stranger_learns_nothing_of_the_rules() -> None:
    """What is wrong with the content is told to those only whose signature holds."""
    expired = claims(exp=1, aud="another")
    assert refusal(signed(expired, OTHER_SECRET)) == refusal(signed(claims(), OTHER_SECRET))


def test_a_token_ends_with_the_leeway() -> None:
    token = signed(claims(exp=NOW))
    assert verify_token(token, KEYS, TokenRules(leeway_s=10), NOW + 9.9).user_id == "ann"
    assert (
        refusal(token, TokenRules(leeway_s=10), NOW + 10) == "token_expired: the token has expired"
    )


def test_a_token_begins_with_the_leeway() -> None:
    token = signed(claims(nbf=NOW))
    assert verify_token(token, KEYS, TokenRules(leeway_s=10), NOW - 10).user_id == "ann"
    assert "not valid yet" in refusal(token, TokenRules(leeway_s=10), NOW - 10.1)


@pytest.mark.parametrize(
    ("told", "rules", "is_good"),
    [
        ({"aud": "realtime"}, TokenRules(audience="realtime"), True),
        ({"aud": ["x", "realtime"]}, TokenRules(audience="realtime"), True),
        ({}, TokenRules(audience="realtime"), False),
        ({"aud": []}, TokenRules(audience="realtime"), False),
        ({"aud": "realtime"}, TokenRules(), False),
        ({"iss": "us"}, TokenRules(issuer="us"), True),
        ({"iss": "them"}, TokenRules(issuer="us"), False),
        ({}, TokenRules(issuer="us"), False),
        ({"iss": "them"}, TokenRules(), True),
    ],
)
def test_audience_and_issuer(told: dict[str, object], rules: TokenRules, is_good: bool) -> None:
    token = signed(claims(**told))
    if is_good:
        assert verify_token(token, KEYS, rules, NOW).user_id == "ann"
    else:
        assert "from another" in refusal(token, rules) or "for another" in refusal(token, rules)


def test_each_secret_of_the_file_verifies() -> None:
    keys = parse_secrets(OTHER_SECRET + b"\n\n" + SECRET + b"\n")
    for secret in (SECRET, OTHER_SECRET):
        assert verify_token(signed(claims(), secret), keys, TokenRules(), NOW).user_id == "ann"


@given(st.text(max_size=300))
def test_any_text_is_refused_and_nothing_else(text: str) -> None:
    assert refusal(text).startswith("token_invalid")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["user_id", "exp", "account_id", "nbf", "aud"]), json_values)
)
def test_any_claims_are_read_or_refused(some: dict[str, object]) -> None:
    token = signed(claims() | some)
    try:
        token_id = verify_token(token, KEYS, TokenRules(), NOW)
    except TokenRefused:
        return
    assert json.dumps(sorted(token_id.accounts or []))
    assert token_id.expires_at is not None
    assert token_id.expires_at > NOW


TWO_KEYS = parse_secrets(SECRET + b"\n" + OTHER_SECRET)


def test_an_issued_token_verifies() -> None:
    rules = TokenRules(audience="realtime", issuer="us", leeway_s=0)
    token = issue_token(
        TWO_KEYS,
        rules,
        user_id="ann",
        accounts=["alpha"],
        permissions=["trading"],
        now=NOW,
        valid_s=60,
    )
    principal = verify_token(token, TWO_KEYS[:1], rules, NOW)
    assert (principal.user_id, principal.expires_at) == ("ann", NOW + 60)
    assert principal.accounts == frozenset({"alpha"})
    assert principal.permissions == {"trading"}


def test_an_issued_token_can_name_every_account() -> None:
    token = issue_token(
        TWO_KEYS, TokenRules(), user_id="ann", accounts=["*"], permissions=[], now=NOW, valid_s=60
    )
    assert verify_token(token, TWO_KEYS, TokenRules(), NOW).accounts is None


@pytest.mark.parametrize("suffix", ["=", "==", "%", " ", "\n", "A", "."])
def test_a_token_has_one_spelling(suffix: str) -> None:
    token = signed(claims())
    assert refusal(token + suffix).startswith("token_invalid")
    with pytest.raises(TokenRefused):
        verify_token(token[:-8] + suffix + token[-8:], KEYS, PLAIN, NOW)


def test_unused_bits_of_the_signature_make_no_new_token() -> None:
    token = signed(claims())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    accepted = [last for last in alphabet if not _is_refused(token[:-1] + last)]
    assert accepted == [token[-1]]


def test_token_id_does_not_depend_on_the_signature() -> None:
    first, second = (
        verify_token(signed(claims(), key), TWO_KEYS, PLAIN, NOW) for key in (SECRET, OTHER_SECRET)
    )
    assert first.token_id == second.token_id
    assert first.token_id != verify_token(signed(claims(user_id="bob")), KEYS, PLAIN, NOW).token_id


def _is_refused(token: str) -> bool:
    try:
        verify_token(token, KEYS, PLAIN, NOW)
    except TokenRefused:
        return True
    return False
