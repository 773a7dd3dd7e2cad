"""Key files. The tests of public keys want the extra `crypto`, and skip with a word without it."""

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from jwt.algorithms import get_default_algorithms

from realtime.auth.keys import MAX_KEYS, parse_jwks, parse_public_keys, parse_secrets
from realtime.auth.tokens import TokenRefused, TokenRules, verify_token
from realtime.errors import ConfigError
from tests.auth.made import NOW, SECRET, claims, signed

HAS_CRYPTO = importlib.util.find_spec("cryptography") is not None
crypto = pytest.mark.skipif(not HAS_CRYPTO, reason="cryptography is not installed: extra `crypto`")

KINDS = ("RS256", "ES256", "EdDSA")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"short", "secret of 5 bytes"),
        (SECRET + b"\nshort", "secret of 5 bytes"),
        (b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "PEM key"),
        (b"\n".join([SECRET] * (MAX_KEYS + 1)), "at most"),
    ],
)
def test_a_secret_file_that_will_not_do(content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        parse_secrets(content)
    assert "short" not in str(error.value)


def test_a_key_does_not_show_itself() -> None:
    assert SECRET.decode() not in repr(parse_secrets(SECRET))


@pytest.mark.skipif(HAS_CRYPTO, reason="cryptography is installed: nothing to name")
@pytest.mark.parametrize("read", [parse_public_keys, parse_jwks])
def test_without_the_extra_it_is_named(read: Callable[[bytes], object]) -> None:
    with pytest.raises(ConfigError, match="extra `crypto`"):
        read(b"")


class Issuer:
    """A pair of keys of one kind."""

    def __init__(self, algorithm: str) -> None:
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

        self.algorithm = algorithm
        makers: dict[str, Callable[[], Any]] = {
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        self.private = makers[algorithm]()
        public = self.private.public_key()
        self.pem: bytes = public.public_bytes(
            form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
        )
        self.private_pem: bytes = self.private.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
        self.jwk: dict[str, object] = json.loads(get_default_algorithms()[algorithm].to_jwk(public))

    def token(self, **headers: object) -> str:
        return jwt.encode(claims(), self.private, self.algorithm, headers=dict(headers))


@crypto
@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_verifies_its_own(kind: str) -> None:
    issuer, other = Issuer(kind), Issuer(kind)
    keys = parse_public_keys(issuer.pem)
    assert [key.algorithm for key in keys] == [kind]
    assert verify_token(issuer.token(), keys, TokenRules(), NOW).user_id == "ann"
    with pytest.raises(TokenRefused):
        verify_token(other.token(), keys, TokenRules(), NOW)


@crypto
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", ["HS256", *KINDS, "none"])
def test_a_public_key_is_never_a_shared_secret(kind: str, said: str) -> None:
    """Who knows the public key, and everybody does, must not be able to sign with it."""
    issuer = Issuer(kind)
    keys = parse_public_keys(issuer.pem)
    for secret in (issuer.pem, issuer.pem.strip(), json.dumps(issuer.jwk).encode()):
        with pytest.raises(TokenRefused):
            verify_token(signed(claims(), secret, {"alg": said}), keys, TokenRules(), NOW)


@crypto
def test_a_file_of_several_keys_is_for_a_change_of_keys() -> None:
    issuers = [Issuer(kind) for kind in KINDS]
    keys = parse_public_keys(b"\n".join(issuer.pem for issuer in issuers))
    for issuer in issuers:
        assert verify_token(issuer.token(), keys, TokenRules(), NOW).user_id == "ann"


@crypto
def test_a_private_key_is_sent_back() -> None:
    with pytest.raises(ConfigError, match="private key"):
        parse_public_keys(Issuer("EdDSA").private_pem)


@crypto
def test_other_curves_are_not_used() -> None:
    with pytest.raises(ConfigError, match="neither RSA"):
        parse_public_keys(Issuer("ES384").pem)
    with pytest.raises(ConfigError, match="no PEM key"):
        parse_public_keys(b"nothing")


@crypto
def test_a_key_set_is_chosen_from_by_key_id() -> None:
    issuers = {kind: Issuer(kind) for kind in KINDS}
    document = {"keys": [{**issuer.jwk, "kid": kind} for kind, issuer in issuers.items()]}
    keys = parse_jwks(json.dumps(document).encode())
    for kind, issuer in issuers.items():
        assert verify_token(issuer.token(kid=kind), keys, TokenRules(), NOW).user_id == "ann"
        assert verify_token(issuer.token(), keys, TokenRules(), NOW).user_id == "ann"
        with pytest.raises(TokenRefused):
            verify_token(issuer.token(kid="another"), keys, TokenRules(), NOW)


@crypto
def test_a_key_set_gives_no_secret_and_nothing_foreign() -> None:
    good = Issuer("ES256")
    foreign: list[object] = [
        {"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"},
        {**good.jwk, "use": "enc"},
        {**good.jwk, "alg": "HS256"},
        {**good.jwk, "x": "AAAA"},
        Issuer("ES384").jwk,
        {},
    ]
    keys = parse_jwks(json.dumps({"keys": [*foreign, good.jwk]}).encode())
    assert [key.algorithm for key in keys] == ["ES256"]
    for content in (b"", b"[]", b'{"keys": 7}', b'{"keys": [7]}', b'{"keys": []}', b"[" * 5000):
        with pytest.raises(ConfigError):
            parse_jwks(content)
    with pytest.raises(ConfigError, match="no key that verifies"):
        parse_jwks(json.dumps({"keys": foreign}).encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_secret_file_of_any_editor_is_read_or_reported(encoding: str) -> None:
    content = SECRET.decode().encode(encoding) + "\n".encode(encoding.removesuffix("-sig"))
    if encoding in ("utf-16-le", "utf-16-be"):  # without a byte order mark
        with pytest.raises(ConfigError, match="NUL") as refused:
            parse_secrets(content)
        assert refused.value.remedy == "save it as UTF-8"
        return
    content = (SECRET.decode() + "\n").encode(encoding)
    assert [key.material for key in parse_secrets(content)] == [SECRET]


@crypto
@pytest.mark.parametrize(
    "bad", [None, 1, "x", [], {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": 1, "y": []},
            {"kty": "OKP", "crv": "Ed25519", "x": "A"}, {"kty": {"a": 1}}]
)  # fmt: skip
def test_an_unreadable_entry_of_a_key_set_is_skipped(bad: object) -> None:
    good = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    for entries in ([bad, good], [good, bad]):
        assert len(parse_jwks(json.dumps({"keys": entries}).encode())) == 1
