import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.auth.errors import TokenRefused
from realtime.auth.keys import secrets_of
from realtime.auth.tokens import MAX_TOKEN, TokenRules, believe
from tests.auth.made import NOW, OTHER_SECRET, SECRET, b64, claims, signed, unsigned

KEYS = secrets_of(SECRET)
PLAIN = TokenRules()


def refusal(token: str, rules: TokenRules = PLAIN, now: float = NOW) -> str:
    with pytest.raises(TokenRefused) as refused:
        believe(token, KEYS, rules, now)
    return f"{refused.value.code}: {refused.value.message}"


def test_a_good_token_is_its_holder() -> None:
    holder = believe(signed(claims()), KEYS, TokenRules(leeway_s=5), NOW)
    assert holder.user_id == "ann"
    assert holder.accounts == frozenset({"alpha", "bravo"})
    assert holder.permissions == {"account_access"}
    assert holder.until == NOW + 605
    assert holder.sees("alpha")
    assert not holder.sees("charlie")
    assert not holder.may("trading")


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
    assert believe(signed(claims(account_id=given)), KEYS, TokenRules(), NOW).accounts == seen


def test_permissions_of_other_programs_are_theirs() -> None:
    token = signed(claims(permissions=["admin", "launch_rockets", "ADMIN"]))
    assert believe(token, KEYS, TokenRules(), NOW).permissions == {"admin"}


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
    "too long": signed(claims(more="x" * MAX_TOKEN)),
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
    """The signature of one token under the claims of another."""
    mine, theirs = signed(claims()), signed(claims(account_id="*"))
    head, _, signature = mine.split(".")
    swapped = ".".join([head, theirs.split(".")[1], signature])
    assert refusal(swapped) == "token_invalid: no key of this daemon's has signed the token"


def test_a_stranger_learns_nothing_of_the_rules() -> None:
    """What is wrong with the content is told to those only whose signature holds."""
    expired = claims(exp=1, aud="another")
    assert refusal(signed(expired, OTHER_SECRET)) == refusal(signed(claims(), OTHER_SECRET))


def test_a_token_ends_with_the_leeway() -> None:
    token = signed(claims(exp=NOW))
    assert believe(token, KEYS, TokenRules(leeway_s=10), NOW + 9.9).user_id == "ann"
    assert (
        refusal(token, TokenRules(leeway_s=10), NOW + 10) == "token_expired: the token has expired"
    )


def test_a_token_begins_with_the_leeway() -> None:
    token = signed(claims(nbf=NOW))
    assert believe(token, KEYS, TokenRules(leeway_s=10), NOW - 10).user_id == "ann"
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
        assert believe(token, KEYS, rules, NOW).user_id == "ann"
    else:
        assert "of another" in refusal(token, rules) or "for another" in refusal(token, rules)


def test_each_secret_of_the_file_verifies() -> None:
    keys = secrets_of(OTHER_SECRET + b"\n\n" + SECRET + b"\n")
    for secret in (SECRET, OTHER_SECRET):
        assert believe(signed(claims(), secret), keys, TokenRules(), NOW).user_id == "ann"


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
        holder = believe(token, KEYS, TokenRules(), NOW)
    except TokenRefused:
        return
    assert json.dumps(sorted(holder.accounts or []))
    assert holder.until is not None
    assert holder.until > NOW
