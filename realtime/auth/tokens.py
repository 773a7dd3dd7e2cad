"""A token believed or refused: signature, time, audience, issuer, claims, in this order.

Nothing here asks what time it is, reads a file or knows HTTP.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from jwt import PyJWS, PyJWTError
from msgspec import Meta, Struct

from realtime.auth.errors import TokenRefused
from realtime.auth.keys import Key
from realtime.auth.principal import PERMISSIONS, Permission, Principal

MAX_TOKEN = 4000
"""Letters of a token; with its name it must fit into a cookie, of which browsers keep 4096."""

ALL_ACCOUNTS = "*"
"""In `account_id`: every account. No label can be this."""

LATEST = 253402300800
"""No time after the year 9999 is one."""

Word = Annotated[str, Meta(min_length=1, max_length=200)]
Instant = Annotated[int, Meta(ge=0, lt=LATEST)] | Annotated[float, Meta(ge=0, lt=LATEST)]


class Claims(Struct, frozen=True, kw_only=True):
    """What we read of a token; others may stand in it."""

    user_id: Word
    exp: Instant
    account_id: Word | Annotated[tuple[Word, ...], Meta(max_length=1000)] = ()
    permissions: Annotated[tuple[Word, ...], Meta(max_length=100)] = ()
    nbf: Instant | None = None
    aud: Word | tuple[Word, ...] | None = None
    iss: Word | None = None


class TokenRules(Struct, frozen=True, kw_only=True):
    """What a token must say beside being signed."""

    audience: str | None = None
    issuer: str | None = None
    leeway_s: float = 30.0
    """How far the issuer's clock may be from ours."""


_read_claims = msgspec.json.Decoder(Claims).decode
_jws = PyJWS(algorithms=["HS256", "RS256", "ES256", "EdDSA"])


def holder_of(token: str) -> str:
    """A name for a token, by which it cannot be found again."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:16]


def believe(token: str, keys: Sequence[Key], rules: TokenRules, now: float) -> Principal:
    """Who holds this token at `now`, epoch seconds. Raises TokenRefused."""
    if len(token) > MAX_TOKEN:
        raise TokenRefused("token_invalid", f"the token is longer than {MAX_TOKEN} letters")
    payload = _verified(token, keys)
    try:
        claims = _read_claims(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fact = f"the token's claims cannot be used: {error}"
        raise TokenRefused("token_invalid", fact) from error
    until = claims.exp + rules.leeway_s
    if now >= until:
        raise TokenRefused("token_expired", "the token has expired")
    if claims.nbf is not None and now < claims.nbf - rules.leeway_s:
        raise TokenRefused("token_invalid", "the token is not valid yet")
    _check_address(claims, rules)
    return Principal(
        user_id=claims.user_id,
        accounts=_accounts(claims.account_id),
        permissions=frozenset(_known(claims.permissions)),
        until=until,
        holder=holder_of(token),
    )


def _verified(token: str, keys: Sequence[Key]) -> bytes:
    """The payload, once a key of ours says that its issuer wrote it."""
    try:
        key_id = _jws.get_unverified_header(token).get("kid")
        candidates = [key for key in keys if key_id is None or key.key_id in (None, key_id)]
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("token_invalid", "this is no signed token") from error
    for key in candidates:
        try:
            payload = _jws.decode(token, key.material, algorithms=[key.algorithm])
        except (PyJWTError, ValueError, TypeError):
            continue
        assert isinstance(payload, bytes), "a JWS carries bytes"
        return payload
    raise TokenRefused(
        "token_invalid",
        "no key of this daemon's has signed the token",
        is_unknown_key=key_id is not None and key_id not in {key.key_id for key in keys},
    )


def _check_address(claims: Claims, rules: TokenRules) -> None:
    """RFC 7519 section 4.1.3: a token that names an audience is for nobody else."""
    audience = (claims.aud,) if isinstance(claims.aud, str) else claims.aud or ()
    if (audience or rules.audience) and rules.audience not in audience:
        raise TokenRefused("token_invalid", "the token is for another audience")
    if rules.issuer is not None and claims.iss != rules.issuer:
        raise TokenRefused("token_invalid", "the token is of another issuer")


def _accounts(given: str | tuple[str, ...]) -> frozenset[str] | None:
    """A token that names no account sees none."""
    labels = frozenset((given,) if isinstance(given, str) else given)
    return None if ALL_ACCOUNTS in labels else labels


def _known(words: Iterable[str]) -> Iterable[Permission]:
    """Those that are ours: an issuer may serve other programs with the same token."""
    return (permission for permission in PERMISSIONS if permission in words)
