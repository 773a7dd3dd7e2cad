"""The live page's own files: read once at start, served from memory, with a strict policy.

The page is a reader like any other: it has no way to the state but the routes that everybody has.
Its files hold no data, so they are the same for everybody.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse, StaticPages, is_match, make_response

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
"""Nothing but our own files, nothing inline, no text that becomes markup, in nobody's frame."""

TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""A file name's end → the type it is served as; other files are not served."""


class File(Struct, frozen=True):
    """One file as it is served."""

    body: bytes
    headers: Mapping[str, str]

    def answer(self, if_none_match: str | None) -> ApiResponse:
        """The file, or 304 for a reader that holds it."""
        if is_match(if_none_match, self.headers["ETag"]):
            return ApiResponse(status=304, headers=self.headers)
        return ApiResponse(body=self.body, headers=self.headers)


def _file(path: Path) -> File:
    body = path.read_bytes()
    return File(
        body,
        {
            "Content-Type": TYPES[path.suffix],
            "Cache-Control": "no-cache",
            "ETag": f'"{sha256(body).hexdigest()[:16]}"',
            "Content-Security-Policy": POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Frame-Options": "DENY",
            "Vary": "Accept",
        },
    )


def read_files(root: Path = HERE) -> dict[str, File]:
    """Every file of the page: path below `root` → file."""
    paths = [path for room in ("static", "vendor") for path in sorted((root / room).rglob("*"))]
    return {
        path.relative_to(root).as_posix(): _file(path)
        for path in paths
        if path.is_file() and path.suffix in TYPES
    }


FILES: Mapping[str, File] = read_files()


def add_page(app: web.Application, prefixes: Iterable[str]) -> None:
    """Serve the page's files below `/page/` of each prefix; the page itself is answered at `/`."""
    for prefix in prefixes:
        app.router.add_get(prefix + "/page/{path:.+}", _serve, allow_head=True)


async def _serve(request: web.Request) -> web.StreamResponse:
    file = FILES.get(request.match_info["path"])
    if file is None:
        raise Problem("unknown_route", f"{request.method} {quote(request.path)}")
    return make_response(file.answer(request.headers.get("If-None-Match")))


PAGES = StaticPages(home=FILES[HOME].answer, explorer=FILES[EXPLORER].answer, add_files=add_page)
"""What `runtime` passes to the application."""
