"""What strangers send, byte for byte, and what each gets: a table."""

from msgspec import Struct

from tests.api.documents.made import NOW
from tests.api.guarded import get, token
from tests.auth.made import OTHER_SECRET, SECRET, b64, claims, signed, unsigned

MINE = "/realtime/dashboard/alpha"
ALPHA = token(account_id="alpha")
LATER = int(NOW) + 600

Expected = tuple[int, str | None]
"""Status and code of the problem; no code where it is no problem of ours."""


MALFORMED = (400, "malformed_request")
INVALID = (401, "token_invalid")
FORBIDDEN = (403, "permission_missing")
CROSS = (403, "cross_origin")
UNKNOWN = (404, "unknown_account")
NO_ROUTE = (404, "unknown_route")
WRONG_HOST = (421, "wrong_host")


class Attack(Struct, frozen=True):
    """One of them."""

    name: str
    raw: bytes
    expected: Expected


def made(**more: object) -> dict[str, object]:
    """Claims of the attacker's own account, good but for these."""
    return claims(account_id="alpha", exp=LATER) | more


def forged(header: dict[str, object], secret: bytes = OTHER_SECRET) -> str:
    """A token of everything, under a header of the attacker's."""
    return signed(made(account_id="*"), secret, {"typ": "JWT", **header})


def with_token(name: str, given: str, code: str = "token_invalid") -> Attack:
    """Somebody shows this token."""
    return Attack(name, get(MINE, given), (401, code))


def asking(name: str, path: str, expected: Expected) -> Attack:
    """Somebody with a good token for alpha asks for something else."""
    return Attack(name, get(path, ALPHA), expected)


def reading(name: str, *lines: str, expected: Expected) -> Attack:
    """Somebody asks for alpha, with these header lines and no others."""
    return Attack(name, message(f"GET {MINE} HTTP/1.1", *lines), expected)


def posting(name: str, *lines: str, body: bytes = b"", expected: Expected = MALFORMED) -> Attack:
    """Somebody with a good token begins a session."""
    head = message("POST /session HTTP/1.1", HOST, AUTHORIZED, *lines)
    return Attack(name, head + body, expected)


def message(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


AUTHORIZED = f"Authorization: Bearer {ALPHA}"
HOST = "Host: 127.0.0.1"
HEAD, _, SIGNATURE = ALPHA.rpartition(".")
EVERYTHING = unsigned({"alg": "HS256", "typ": "JWT"}, made(account_id="*"))
NO_BODY = "Content-Length: 0"
CHUNKED = "Transfer-Encoding: chunked"

TOKENS = [
    Attack("no token", get(MINE), (401, "token_missing")),
    with_token("expired", signed(made(exp=int(NOW) - 1)), "token_expired"),
    with_token("expired long ago, in floats", signed(made(exp=1.5)), "token_expired"),
    with_token("never ends", signed(claims(exp=None))),
    with_token("ends as text", signed(made(exp=str(LATER)))),
    with_token("ends after all time", signed(made(exp=10**30))),
    with_token("not yet good", signed(made(nbf=LATER))),
    with_token("another's audience", signed(made(aud="payroll"))),
    with_token("signed with another secret", signed(made(), OTHER_SECRET)),
    with_token("swapped claims", f"{EVERYTHING}.{SIGNATURE}"),
    with_token("no signature", HEAD),
    with_token("an empty signature", HEAD + "."),
    with_token("alg none", unsigned({"alg": "none"}, made(account_id="*")) + "."),
    with_token("alg nOnE", unsigned({"alg": "nOnE"}, made(account_id="*")) + "."),
    with_token("alg HS512", forged({"alg": "HS512"}, SECRET)),
    with_token("alg RS256 over a shared secret", forged({"alg": "RS256"}, SECRET)),
    with_token("a key of its own", forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}})),
    with_token("an address of keys", forged({"alg": "HS256", "jku": "http://127.0.0.1:9/keys"})),
    with_token("a key named as a file", forged({"alg": "HS256", "kid": "../../dev/null"}, b"")),
    with_token("crit", forged({"alg": "HS256", "crit": ["b64"], "b64": False})),
    with_token("compressed", forged({"alg": "HS256", "zip": "DEF"})),
    with_token("claims that are a list", signed([made()])),
    with_token("an account that is a number", signed(made(account_id=7))),
    with_token("5000 letters", "a" * 5000),
    with_token("nested deeper than a stack", f"{b64(b'[' * 2800)}.e30.AA"),
    reading("Basic", HOST, "Authorization: Basic YWxwaGE6", expected=INVALID),
    reading("two headers", HOST, AUTHORIZED, AUTHORIZED, expected=INVALID),
    reading(
        "a bad header and a good cookie",
        HOST,
        "Authorization: Bearer x",
        f"Cookie: realtime_token={ALPHA}",
        expected=INVALID,
    ),
    Attack("in the address", get(f"{MINE}?token={ALPHA}"), (401, "token_missing")),
    Attack("as OAuth has it", get(f"{MINE}?access_token={ALPHA}"), (401, "token_missing")),
]

OTHERS = [
    asking("a foreign account in the path", "/realtime/dashboard/bravo", UNKNOWN),
    asking("in escapes", "/realtime/dashboard/%62ravo", UNKNOWN),
    asking("in capitals", "/realtime/account/BRAVO", UNKNOWN),
    asking("its orders", "/realtime/orders/bravo?status=all", UNKNOWN),
    asking("its history", "/realtime/history/bravo", UNKNOWN),
    asking("under the other prefix", "/api/v1/realtime/positions/bravo", UNKNOWN),
    asking("in the query", "/realtime/accounts?account_id=alpha,bravo", UNKNOWN),
    asking("in the query twice", "/realtime/accounts?account_id=alpha&account_id=bravo", UNKNOWN),
    asking("in the push", "/realtime/events?account_id=bravo", UNKNOWN),
    asking("all as a label", "/realtime/dashboard/*", UNKNOWN),
    asking("by dots", "/realtime/dashboard/alpha/../bravo", NO_ROUTE),
    asking("by escaped dots", "/realtime/dashboard/alpha%2f..%2fbravo", UNKNOWN),
    asking("by two slashes", "//realtime/dashboard/bravo", NO_ROUTE),
    asking("by a null", "/realtime/dashboard/bravo%00", UNKNOWN),
    asking("by a line end", "/realtime/dashboard/bravo%0d%0aX-Is: in", MALFORMED),
    asking("by an absolute address", "http://127.0.0.1/realtime/dashboard/bravo", UNKNOWN),
    asking("the operators' figures", "/metrics", FORBIDDEN),
    Attack(
        "the operators' command",
        message("POST /admin/reload HTTP/1.1", HOST, AUTHORIZED, NO_BODY),
        FORBIDDEN,
    ),
    asking("a file of the machine", "/page/../../../../etc/passwd", NO_ROUTE),
    asking("a file in escapes", "/page/..%2f..%2f..%2fetc%2fpasswd", NO_ROUTE),
    asking("the source", "/page/%2e%2e/files.py", NO_ROUTE),
]

BROWSERS = [
    reading("rebinding", "Host: evil.example", AUTHORIZED, expected=WRONG_HOST),
    reading("rebinding, a port", "Host: evil.example:8090", AUTHORIZED, expected=WRONG_HOST),
    reading(
        "rebinding by a name that begins well",
        "Host: 127.0.0.1.evil.example",
        AUTHORIZED,
        expected=WRONG_HOST,
    ),
    reading("two hosts", HOST, "Host: evil.example", AUTHORIZED, expected=MALFORMED),
    posting("a form of another page", NO_BODY, "Origin: https://evil.example", expected=CROSS),
    posting("a page without an origin", NO_BODY, "Origin: null", expected=CROSS),
    posting("a page that hides it", NO_BODY, "Sec-Fetch-Site: cross-site", expected=CROSS),
    Attack(
        "a preflight",
        message(
            f"OPTIONS {MINE} HTTP/1.1",
            HOST,
            "Origin: https://evil.example",
            "Access-Control-Request-Method: GET",
        ),
        (403, "cors_refused"),
    ),
]

BYTES = [
    posting("two lengths", "Content-Length: 5", "Content-Length: 6", body=b"hello"),
    posting("a length and chunks", "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    posting("chunks by another name", "Transfer-Encoding: xchunked"),
    posting("chunks twice", CHUNKED + ", chunked", body=b"0\r\n\r\n"),
    posting("a length with a sign", "Content-Length: +5", body=b"hello"),
    posting("a chunk that is no number", CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n"),
    reading("a space before the colon", "Host : 127.0.0.1", AUTHORIZED, expected=MALFORMED),
    reading("a folded header", HOST, "X-Fold: a", " b", AUTHORIZED, expected=MALFORMED),
    reading("a null in a header", HOST, "X-Null: a\0b", AUTHORIZED, expected=MALFORMED),
    Attack("bare line ends", get(MINE, ALPHA).replace(b"\r\n", b"\n"), MALFORMED),
    Attack("half a line end", f"GET {MINE} HTTP/1.1\r{HOST}\r\n\r\n".encode(), MALFORMED),
    Attack("HTTP/0.9", f"GET {MINE}\r\n\r\n".encode(), (401, "token_missing")),
    Attack("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
    Attack("TLS", bytes.fromhex("16030100c8010000c40303") + b"\0" * 40, MALFORMED),
    Attack("a tunnel", message("CONNECT 10.0.0.1:22 HTTP/1.1", HOST, AUTHORIZED), NO_ROUTE),
    Attack("an echo", get(MINE, ALPHA, method="TRACE"), (405, "method_not_allowed")),
    Attack("a method of its own", get(MINE, ALPHA, method="HACK"), MALFORMED),
    asking("an address of 20 kB", f"/{'a' * 20_000}", (414, "uri_too_long")),
    reading("100 kB", HOST, f"X-Long: {'a' * 100_000}", expected=(431, "headers_too_large")),
    reading("2000 headers", HOST, *(f"X-{n}: a" for n in range(2000)), expected=MALFORMED),
    posting("no gzip", "Content-Encoding: gzip", "Content-Length: 5", body=b"hello"),
    posting("10 MB announced", "Content-Length: 10000000", expected=(413, "body_too_large")),
    reading(
        "an expectation", HOST, AUTHORIZED, "Expect: 200-ok", expected=(417, "expectation_failed")
    ),
]

ATTACKS = [*TOKENS, *OTHERS, *BROWSERS, *BYTES]
