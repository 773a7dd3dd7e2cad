"""The files of the page: read and compressed once at start, served from memory.

The page is a client like any other: it gets the state from the routes that all clients use. Its
files hold no account data, so they need no token.
"""

from collections.abc import Callable, Iterable, Mapping
from gzip import compress
from hashlib import sha256
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse, StaticPages, accepts_gzip, is_match, make_response

HERE = Path(__file__).parent
HOME = "static/index.html"
EXPLORER = "static/docs/index.html"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only our own files, nothing inline, no text that becomes markup, in no frame."""

TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""File extension → content type; files with other extensions are not served."""

MIN_COMPRESSED_BYTES = 600
"""A smaller file fits into one packet either way."""


class File(Struct, frozen=True):
    """One file, plain and compressed."""

    body: bytes
    headers: Mapping[str, str]
    gzip_body: bytes | None = None
    """`None` where compression saves nothing."""
    gzip_headers: Mapping[str, str] = {}

    def answer(self, if_none_match: str | None, accept_encoding: str | None = None) -> ApiResponse:
        """The file in an encoding that the client takes, or 304 if it holds this version."""
        if self.gzip_body is not None and accepts_gzip(accept_encoding):
            body, headers = self.gzip_body, self.gzip_headers
        else:
            body, headers = self.body, self.headers
        if is_match(if_none_match, headers["ETag"]):
            return ApiResponse(status=304, headers=headers)
        return ApiResponse(body=body, headers=headers)


def read_file(path: Path) -> File:
    """A file of this path."""
    return make_file(path.read_bytes(), TYPES[path.suffix])


def _headers(body: bytes, content_type: str) -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "Cache-Control": "no-cache",
        "ETag": f'"{sha256(body).hexdigest()[:16]}"',
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Vary": "Accept, Accept-Encoding",
    }


def make_file(body: bytes, content_type: str) -> File:
    """A file of these bytes, compressed where that saves anything."""
    headers = _headers(body, content_type)
    compressed = compress(body, mtime=0) if len(body) >= MIN_COMPRESSED_BYTES else body
    if len(compressed) >= len(body):
        return File(body, headers)
    gzip_headers = {**headers, "ETag": headers["ETag"][:-1] + '-gzip"', "Content-Encoding": "gzip"}
    return File(body, headers, compressed, gzip_headers)


def read_files(root: Path = HERE) -> dict[str, File]:
    """Every file of the page: path below `root` → file."""
    folders = (root / "static", root / "vendor")
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    return {
        path.relative_to(root).as_posix(): read_file(path)
        for path in paths
        if path.is_file() and path.suffix in TYPES
    }


FILES: dict[str, File] = read_files()

DEMO = "demo.json"


def publish_demo(document: bytes) -> None:
    """Serve what the page shows of the demo, and have the page ask for it."""
    FILES[DEMO] = File(document, _headers(document, "application/json; charset=utf-8"))
    home = (HERE / HOME).read_bytes()
    FILES[HOME] = make_file(home.replace(b"<html ", b"<html data-demo ", 1), TYPES[".html"])


def add_page(app: web.Application, prefixes: Iterable[str]) -> None:
    """Serve the page's files below `/page/` of each prefix."""
    for prefix in prefixes:
        app.router.add_get(prefix + "/page/{path:.+}", _serve, allow_head=True)


async def _serve(request: web.Request) -> web.StreamResponse:
    file = FILES.get(request.match_info["path"])
    if file is None:
        raise Problem("unknown_route", f"{request.method} {quote(request.path)}")
    if_none_match = request.headers.get("If-None-Match")
    accept_encoding = request.headers.get("Accept-Encoding")
    return make_response(file.answer(if_none_match, accept_encoding))


def _answer(path: str) -> Callable[[str | None, str | None], ApiResponse]:
    # Looked up at each request: a demo replaces the home page.
    return lambda if_none_match, accept_encoding: FILES[path].answer(if_none_match, accept_encoding)


PAGES = StaticPages(home=_answer(HOME), explorer=_answer(EXPLORER), add_files=add_page)
"""What `runtime` passes to the application."""
