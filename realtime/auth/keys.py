"""The keys that tokens are verified with, each pinned to one algorithm.

The algorithm is a property of the key, decided when the key is read: by its kind, never by what a
token says of itself. A public key can therefore not be taken for a shared secret, nor the other way
round ("algorithm confusion", RFC 8725 section 2.1).
"""

import json
import re
from typing import Any, Literal

from jwt import PyJWK, PyJWKError, PyJWTError
from jwt.algorithms import get_default_algorithms, has_crypto
from msgspec import Struct

from realtime.errors import ConfigError
from realtime.secret import Secret

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

MIN_SECRET = 32
"""Bytes. HS256 wants a key at least as long as its digest (RFC 7518 section 3.2)."""

MAX_KEYS = 32
"""Keys that are tried for one token at the most."""

MIN_RSA_BITS = 2048

OF_KIND: dict[tuple[str, str | None], Algorithm] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""(`kty`, `crv`) of a JSON Web Key → the one algorithm that it verifies."""

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_WITH_CRYPTO = "pip install 'alpaca-realtime[crypto]'"


class Key(Struct, frozen=True, kw_only=True):
    """One key. `material` is what PyJWT prepared; it is not shown."""

    algorithm: Algorithm
    material: Any
    key_id: str | None = None

    def __repr__(self) -> str:
        return f"Key({self.algorithm}, {self.key_id})"


def secrets_of(content: bytes) -> tuple[Key, ...]:
    """The shared secrets of a file, one a line: the first signs, each verifies (so they can be
    changed without a gap). Raises ConfigError."""
    if b"-----BEGIN" in content:
        raise ConfigError(
            "holds a PEM key, not a shared secret", remedy="name it in public_key_file"
        )
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines:
        raise ConfigError("is empty", remedy="openssl rand -hex 32 makes a secret")
    short = min(len(line) for line in lines)
    if short < MIN_SECRET:
        raise ConfigError(
            f"holds a secret of {short} bytes; HS256 wants at least {MIN_SECRET}",
            remedy="openssl rand -hex 32 makes one",
        )
    for line in lines:
        Secret(line.decode("utf-8", "replace"))  # from here on the log knows it
    return _bounded([Key(algorithm="HS256", material=line) for line in lines])


def public_keys_of(content: bytes) -> tuple[Key, ...]:
    """The public keys of a PEM file: RSA, EC P-256 or Ed25519. Raises ConfigError."""
    want_crypto()
    found = list(_PEM.finditer(content))
    if not found:
        raise ConfigError("holds no PEM key", remedy="-----BEGIN PUBLIC KEY----- is expected")
    if any(b"PRIVATE" in match[1] for match in found):
        raise ConfigError(
            "holds a private key: whoever reads it could issue tokens",
            remedy="only the public half belongs here; consider the key as given away",
        )
    return _bounded([_public(match[0]) for match in found])


def key_set_of(content: bytes) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set that verify one of our algorithms. Raises ConfigError.

    Keys of other kinds are left out: an issuer may have them for others. Shared secrets (`oct`)
    are, too: a set of keys is public.
    """
    want_crypto()
    try:
        document = json.loads(content)
        given = document["keys"]
        keys = [key for each in given if (key := _of_set(each)) is not None]
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
        raise ConfigError("is no JSON Web Key Set", remedy='{"keys": [...]} is expected') from error
    if not keys:
        raise ConfigError(
            "holds no key that verifies RS256, ES256 or EdDSA", remedy="ask your issuer"
        )
    return _bounded(keys)


def _of_set(jwk: dict[str, object]) -> Key | None:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    algorithm = OF_KIND.get((str(kind), None if curve is None else str(curve)))
    is_other = jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm
    if algorithm is None or is_other:
        return None
    public = {name: value for name, value in jwk.items() if name not in ("d", "p", "q")}
    try:
        material = PyJWK(public, algorithm).key
    except (PyJWTError, PyJWKError, ValueError):
        return None
    if algorithm == "RS256" and material.key_size < MIN_RSA_BITS:
        return None
    key_id = jwk.get("kid")
    return Key(
        algorithm=algorithm,
        material=material,
        key_id=key_id if isinstance(key_id, str) else None,
    )


def _public(pem: bytes) -> Key:
    algorithms = get_default_algorithms()
    for name in ("RS256", "ES256", "EdDSA"):
        try:
            material = algorithms[name].prepare_key(pem)
        except (PyJWTError, ValueError, TypeError):
            continue
        if name == "RS256" and material.key_size < MIN_RSA_BITS:
            raise ConfigError(f"holds an RSA key of fewer than {MIN_RSA_BITS} bits")
        return Key(algorithm=name, material=material)
    raise ConfigError(
        "holds a key that is neither RSA, EC P-256 nor Ed25519",
        remedy="openssl genpkey -algorithm ed25519 makes a good one",
    )


def want_crypto() -> None:
    """Raise ConfigError where public keys cannot be used."""
    if not has_crypto:
        raise ConfigError("needs the extra `crypto`", remedy=_WITH_CRYPTO)


def _bounded(keys: list[Key]) -> tuple[Key, ...]:
    if len(keys) > MAX_KEYS:
        raise ConfigError(f"holds {len(keys)} keys; {MAX_KEYS} at the most are used")
    return tuple(keys)
