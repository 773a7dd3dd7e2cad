from realtime.auth.keys import secrets_of
from realtime.auth.minting import mint
from realtime.auth.tokens import TokenRules, believe
from tests.auth.made import NOW, OTHER_SECRET, SECRET

KEYS = secrets_of(SECRET + b"\n" + OTHER_SECRET)


def test_a_minted_token_is_believed() -> None:
    rules = TokenRules(audience="realtime", issuer="us", leeway_s=0)
    token = mint(
        KEYS,
        rules,
        user_id="ann",
        accounts=["alpha"],
        permissions=["trading"],
        now=NOW,
        valid_s=60,
    )
    holder = believe(token, KEYS[:1], rules, NOW)
    assert (holder.user_id, holder.until) == ("ann", NOW + 60)
    assert holder.accounts == frozenset({"alpha"})
    assert holder.permissions == {"trading"}


def test_a_star_is_every_account() -> None:
    token = mint(
        KEYS, TokenRules(), user_id="ann", accounts=["*"], permissions=[], now=NOW, valid_s=60
    )
    assert believe(token, KEYS, TokenRules(), NOW).accounts is None
