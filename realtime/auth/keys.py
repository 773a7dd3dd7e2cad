"""Keys that tokens are verified with, each bound to one algorithm.

The algorithm is a property of the key, decided by its type when it is read, never by a token's
header. A public key can therefore not be used as a shared secret, nor the other way round
("algorithm confusion", RFC 8725 section 2.1).
"""

import codecs
import json
import re
from typing import Any, Literal

from jwt import PyJWK, PyJWTError
from jwt.algorithms import get_default_algorithms, has_crypto
from msgspec import Struct

from realtime.errors import ConfigError
from realtime.secret import Secret

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]

MIN_SECRET_BYTES = 32
"""HS256 requires a key at least as long as its digest (RFC 7518 section 3.2)."""

MAX_KEYS = 32
"""Keys that are tried for one token."""

MIN_RSA_BITS = 2048

ALGORITHMS: dict[tuple[str, str | None], Algorithm] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""(`kty`, `crv`) of a JSON Web Key → the one algorithm that it verifies."""

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_INSTALL_CRYPTO = "pip install 'alpaca-realtime[crypto]'"


class Key(Struct, frozen=True, kw_only=True):
    """One key. `material` is PyJWT's; its `repr` is never shown."""

    algorithm: Algorithm
    material: Any
    key_id: str | None = None

    def __repr__(self) -> str:
        return f"Key({self.algorithm}, {self.key_id})"


def parse_secrets(content: bytes) -> tuple[Key, ...]:
    """Return the shared secrets of a file, one per line: the first signs, each verifies, so they
    can be changed without a gap. Raises ConfigError."""
    content = to_utf8(content)
    if b"-----BEGIN" in content:
        raise ConfigError(
            "holds a PEM key, not a shared secret", remedy="name it in public_key_file"
        )
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines:
        raise ConfigError("is empty", remedy="create a secret with openssl rand -hex 32")
    shortest = min(len(line) for line in lines)
    if shortest < MIN_SECRET_BYTES:
        raise ConfigError(
            f"holds a secret of {shortest} bytes; HS256 requires at least {MIN_SECRET_BYTES}",
            remedy="create one with openssl rand -hex 32",
        )
    for line in lines:
        Secret(line.decode("utf-8", "replace"))  # redacted in the log from now on
    return _check_count([Key(algorithm="HS256", material=line) for line in lines])


def parse_public_keys(content: bytes) -> tuple[Key, ...]:
    """Return the public keys of a PEM file: RSA, EC P-256 or Ed25519. Raises ConfigError."""
    require_crypto()
    content = to_utf8(content)
    blocks = list(_PEM.finditer(content))
    if not blocks:
        raise ConfigError("holds no PEM key", remedy="-----BEGIN PUBLIC KEY----- is expected")
    if any(b"PRIVATE" in match[1] for match in blocks):
        raise ConfigError(
            "holds a private key, with which anyone who reads it could issue tokens",
            remedy="put only the public key here, and replace this key pair",
        )
    return _check_count([_parse_pem(match[0]) for match in blocks])


def parse_jwks(content: bytes) -> tuple[Key, ...]:
    """Return the keys of a JSON Web Key Set that verify one of our algorithms. Raises ConfigError.

    Other keys are skipped: those of other types, which an issuer may have for other programs;
    those that cannot be read; and shared secrets (`oct`), because a key set is public.
    """
    require_crypto()
    try:
        document = json.loads(content)
        entries = document["keys"]
        if not isinstance(entries, list):
            raise TypeError("keys is not an array")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            "is not a JSON Web Key Set", remedy='{"keys": [...]} is expected'
        ) from error
    keys = [key for entry in entries if (key := _parse_jwk(entry)) is not None]
    if not keys:
        raise ConfigError(
            "holds no key that verifies RS256, ES256 or EdDSA", remedy="ask your issuer"
        )
    return _check_count(keys)


def _parse_jwk(jwk: object) -> Key | None:
    """Return the key of one entry; None if it is not ours or cannot be read."""
    if not isinstance(jwk, dict):
        return None
    key_type, curve = jwk.get("kty"), jwk.get("crv")
    algorithm = ALGORITHMS.get((str(key_type), None if curve is None else str(curve)))
    is_other = jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm
    if algorithm is None or is_other:
        return None
    public = {name: value for name, value in jwk.items() if name not in ("d", "p", "q")}
    try:
        material = PyJWK(public, algorithm).key
    except Exception:  # noqa: BLE001 - a library, given any JSON: one bad entry is skipped
        return None
    if algorithm == "RS256" and material.key_size < MIN_RSA_BITS:
        return None
    key_id = jwk.get("kid")
    return Key(
        algorithm=algorithm,
        material=material,
        key_id=key_id if isinstance(key_id, str) else None,
    )


def _parse_pem(pem: bytes) -> Key:
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
        remedy="create one with openssl genpkey -algorithm ed25519",
    )


def to_utf8(content: bytes) -> bytes:
    """Return the text of a file as UTF-8, without a byte order mark. Raises ConfigError.

    Windows editors save UTF-16, or UTF-8 with a mark; without this, the mark would be part of the
    secret, and no token of the issuer would verify.
    """
    if content.startswith(codecs.BOM_UTF8):
        content = content.removeprefix(codecs.BOM_UTF8)
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise ConfigError(
                "is neither UTF-8 nor UTF-16 text", remedy="save it as UTF-8"
            ) from error
    if b"\0" in content:
        raise ConfigError("holds NUL bytes: it is not UTF-8 text", remedy="save it as UTF-8")
    return content


def require_crypto() -> None:
    """Raise ConfigError if public keys cannot be used in this installation."""
    if not has_crypto:
        raise ConfigError("requires the extra `crypto`", remedy=_INSTALL_CRYPTO)


def _check_count(keys: list[Key]) -> tuple[Key, ...]:
    if len(keys) > MAX_KEYS:
        raise ConfigError(f"holds {len(keys)} keys; at most {MAX_KEYS} are supported")
    return tuple(keys)
