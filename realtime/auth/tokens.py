"""Verifies tokens: signature, time, audience, issuer, claims, in this order; and issues some.

Nothing here reads a clock or a file, or knows HTTP.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import jwt
import msgspec
from jwt import PyJWS, PyJWTError
from msgspec import Meta, Struct

from realtime.auth.keys import Key
from realtime.auth.principal import PERMISSIONS, Permission, Principal
from realtime.errors import RealtimeError

MAX_TOKEN_LENGTH = 4000
"""Characters; with its name a token must fit into a cookie, of which browsers keep 4096."""

ALL_ACCOUNTS = "*"
"""In the claim `account_id`: every account. No label can be this."""

MAX_TIME = 253402300800
"""Epoch seconds: the year 10000."""

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Timestamp = Annotated[int, Meta(ge=0, lt=MAX_TIME)] | Annotated[float, Meta(ge=0, lt=MAX_TIME)]
Code = Literal["token_missing", "token_invalid", "token_expired"]


class TokenRefused(RealtimeError):
    """A token that does not verify. `code` is the problem that the client receives.

    What depends on the claims is reported only once the signature is verified: before that, a token
    is a guess of an unknown client, and all guesses get the same response.
    """

    def __init__(self, code: Code, message: str, *, is_unknown_key: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_unknown_key = is_unknown_key
        """It names a key that we do not have; its issuer may have added one."""


class Claims(Struct, frozen=True, kw_only=True):
    """The claims that we read; a token may have others."""

    user_id: Text
    exp: Timestamp
    account_id: Text | Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    permissions: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()
    nbf: Timestamp | None = None
    aud: Text | tuple[Text, ...] | None = None
    iss: Text | None = None


class TokenRules(Struct, frozen=True, kw_only=True):
    """What a token must contain, apart from a valid signature."""

    audience: str | None = None
    issuer: str | None = None
    leeway_s: float = 30.0
    """How far the issuer's clock may be from ours."""


_read_claims = msgspec.json.Decoder(Claims).decode
_jws = PyJWS(algorithms=["HS256", "RS256", "ES256", "EdDSA"])


_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


def hash_token(token: str) -> str:
    """Return a name for a token from which it cannot be recovered.

    Without the signature, of which there may be several for the same claims (ECDSA signatures can
    be altered by anyone): a token that is spelled differently has the same share of every limit.
    """
    signed_part = token.rpartition(".")[0]
    return hashlib.sha256(signed_part.encode("utf-8", "replace")).hexdigest()[:16]


def _is_canonical(token: str) -> bool:
    """Whether a token has the one spelling of RFC 7515: base64url without padding (section 2), and
    no bits beside the value's (RFC 4648 section 3.5). Decoders accept others."""
    if not _COMPACT.fullmatch(token):
        return False
    for segment in token.split("."):
        padded = segment + "=" * (-len(segment) % 4)
        try:
            content = base64.urlsafe_b64decode(padded)
        except ValueError:
            return False
        if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != segment:
            return False
    return True


def verify_token(token: str, keys: Sequence[Key], rules: TokenRules, now: float) -> Principal:
    """Return the principal of a token at `now`, epoch seconds. Raises TokenRefused."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRefused(
            "token_invalid", f"the token is longer than {MAX_TOKEN_LENGTH} characters"
        )
    if not _is_canonical(token):
        raise TokenRefused("token_invalid", "this is not a signed token")
    payload = _verify_signature(token, keys)
    try:
        claims = _read_claims(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TokenRefused("token_invalid", f"the token's claims are invalid: {error}") from error
    expires_at = claims.exp + rules.leeway_s
    if now >= expires_at:
        raise TokenRefused("token_expired", "the token has expired")
    if claims.nbf is not None and now < claims.nbf - rules.leeway_s:
        raise TokenRefused("token_invalid", "the token is not valid yet")
    _check_audience_and_issuer(claims, rules)
    return Principal(
        user_id=claims.user_id,
        accounts=_parse_accounts(claims.account_id),
        permissions=frozenset(_known_permissions(claims.permissions)),
        expires_at=expires_at,
        token_id=hash_token(token),
    )


def issue_token(
    keys: Sequence[Key],
    rules: TokenRules,
    *,
    user_id: str,
    accounts: Sequence[str],
    permissions: Sequence[Permission],
    now: float,
    valid_s: float,
) -> str:
    """Return a token signed by the first shared secret; `accounts` may be `["*"]`.

    For development: in production, tokens come from an issuer.
    """
    secret = next(key for key in keys if key.algorithm == "HS256")
    assert isinstance(secret.material, bytes), "a shared secret is bytes"
    claims: dict[str, object] = {
        "user_id": user_id,
        "account_id": ALL_ACCOUNTS if ALL_ACCOUNTS in accounts else list(accounts),
        "permissions": list(permissions),
        "iat": int(now),
        "exp": int(now + valid_s),
    }
    if rules.audience is not None:
        claims["aud"] = rules.audience
    if rules.issuer is not None:
        claims["iss"] = rules.issuer
    return jwt.encode(claims, secret.material, algorithm="HS256")


def _verify_signature(token: str, keys: Sequence[Key]) -> bytes:
    """Return the payload if one of the keys has signed it."""
    try:
        key_id = _jws.get_unverified_header(token).get("kid")
        candidates = [key for key in keys if key_id is None or key.key_id in (None, key_id)]
    except (PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused("token_invalid", "this is not a signed token") from error
    for key in candidates:
        try:
            payload = _jws.decode(token, key.material, algorithms=[key.algorithm])
        except (PyJWTError, ValueError, TypeError):
            continue
        assert isinstance(payload, bytes), "a JWS carries bytes"
        return payload
    raise TokenRefused(
        "token_invalid",
        "the token is not signed by a key of this daemon",
        is_unknown_key=key_id is not None and key_id not in {key.key_id for key in keys},
    )


def _check_audience_and_issuer(claims: Claims, rules: TokenRules) -> None:
    """RFC 7519 section 4.1.3: a token with an audience is for that audience only."""
    audience = (claims.aud,) if isinstance(claims.aud, str) else claims.aud or ()
    if (audience or rules.audience) and rules.audience not in audience:
        raise TokenRefused("token_invalid", "the token is for another audience")
    if rules.issuer is not None and claims.iss != rules.issuer:
        raise TokenRefused("token_invalid", "the token is from another issuer")


def _parse_accounts(claim: str | tuple[str, ...]) -> frozenset[str] | None:
    """A token without accounts sees none."""
    labels = frozenset((claim,) if isinstance(claim, str) else claim)
    return None if ALL_ACCOUNTS in labels else labels


def _known_permissions(names: Iterable[str]) -> Iterable[Permission]:
    """Ours only: an issuer may serve other programs with the same token."""
    return (permission for permission in PERMISSIONS if permission in names)
