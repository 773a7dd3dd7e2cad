"""The page's files: who gets them, under which policy, how compressed, and that none is missing."""

import posixpath
import re
from gzip import decompress

import pytest

from realtime.api.responses import accepts_gzip
from realtime.api.routes import wants_page
from realtime.web.files import FILES, HERE, HOME, POLICY
from tests.api.reader import Reader

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HTML = FILES["static/index.html"].body.decode()
OURS = [path for path in FILES if path.startswith("static/")]
PAGES = [FILES[path].body.decode() for path in OURS if path.endswith(".html")]


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("*/*", False),
        ("application/json", False),
        (None, False),
    ],
)
def test_browsers_are_shown_the_page(accept: str | None, is_page: bool) -> None:
    assert wants_page(accept) == is_page


async def test_browsers_get_the_page_and_programs_the_routes(reader: Reader) -> None:
    page = await reader.get("/", Accept=BROWSER)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Vary"] == "Accept, Accept-Encoding"
    assert page.body.decode() == HTML
    assert (await reader.get("/", Accept="*/*")).json["name"] == "realtime"
    assert (await reader.get("/realtime", Accept=BROWSER)).json["name"] == "realtime"


@pytest.mark.parametrize(
    ("accept_encoding", "is_gzip"),
    [
        (None, False),
        ("", False),
        ("br", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=nonsense", False),
        ("identity", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(accept_encoding: str | None, is_gzip: bool) -> None:
    assert accepts_gzip(accept_encoding) == is_gzip
    file = FILES["static/main.js"]
    response = file.answer(None, accept_encoding)
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert ("Content-Encoding" in response.headers) == is_gzip
    body = decompress(response.body) if is_gzip else response.body
    assert body == file.body
    assert file.answer(response.headers["ETag"], accept_encoding).status == 304


def test_two_encodings_are_two_versions() -> None:
    """A strong ETag names bytes (RFC 9110, 8.8.3): a cache must not mix them up."""
    for file in FILES.values():
        if file.gzip_body is not None:
            assert len(file.gzip_body) < len(file.body)
            assert file.headers["ETag"] != file.gzip_headers["ETag"]


def first_load() -> set[str]:
    """The files that the page names before anything is opened: without those of `import()`."""
    wanted, files = [HOME], set[str]()
    while wanted:
        path = wanted.pop()
        if path not in files:
            files.add(path)
            wanted += referenced_by(path, is_first=True)
    return files


def test_the_first_load_is_small() -> None:
    """Compressed, all that the page loads before the first paint: below 120 kB; all of it: 180."""
    sizes = {path: len(file.gzip_body or file.body) for path, file in FILES.items()}
    assert sum(sizes[path] for path in first_load()) < 120_000
    page = [path for path in FILES if not path.startswith(("static/docs", "static/runbook"))]
    assert sum(sizes[path] for path in page) < 180_000


def test_every_notice_has_its_entry_in_the_runbook() -> None:
    script = FILES["static/components/notice_text.js"].body.decode()
    entries = re.findall(r'section id="([^"]+)"', FILES["static/runbook/index.html"].body.decode())
    named = {*re.findall(r'runbook: "([^"]+)"', script), *re.findall(r'kind: "([^"]+)"', script)}
    assert len(named) > 5
    assert named <= set(entries)


async def test_every_file_is_served_under_the_policy(reader: Reader) -> None:
    for path, file in FILES.items():
        answer = await reader.get(f"/page/{path}")
        assert (answer.status, answer.body) == (200, file.body)
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = await reader.get(f"/page/{path}", If_None_Match=answer.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        assert (await reader.get(f"/api/v1/page/{path}")).body == file.body


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "files.py", "../files.py", "%2e%2e/files.py", "static/", "static//first.js"],
)
async def test_nothing_else_is_served(reader: Reader, path: str) -> None:
    assert (await reader.get(f"/page/{path}")).status == 404


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    for page in PAGES:
        assert not re.search(r"<style|style=|\son\w+=|javascript:", page)
        assert all(body == "" for body in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S))


def referenced_by(path: str, *, is_first: bool = False) -> list[str]:
    """The files that a page or a script names; `is_first`: that it loads at once."""
    if path.endswith((".css", ".svg")):
        return []
    text = FILES[path].body.decode()
    folder = path.rpartition("/")[0]
    if path.endswith(".html"):
        names = re.findall(r'(?:src|href)="(/?page/[^"]+|\.\./[^"]+)"', text)
        return [
            name.removeprefix("/").removeprefix("page/")
            if "page/" in name
            else posixpath.normpath(f"{folder}/{name}")
            for name in names
        ]
    scripts = re.findall(r'from "([^"]+)"', text)
    later = [] if is_first else re.findall(r'(?:import|loadSheet)\("([^"]+)"', text)
    return [posixpath.normpath(f"{folder}/{name}") for name in [*scripts, *later]]


def test_no_file_is_missing_or_unused() -> None:
    referenced = {name for path in OURS for name in referenced_by(path)}
    assert "static/main.js" in referenced
    assert referenced <= FILES.keys()
    assert {path for path in OURS if path.endswith((".js", ".css"))} <= referenced


def test_vendored_files_have_their_licence() -> None:
    for folder in {path.rpartition("/")[0] for path in FILES if path.startswith("vendor/")}:
        assert re.search(r"-\d+\.\d+", folder)
        assert (HERE / folder / "LICENSE").read_text().startswith("The MIT License")


def test_files_are_about_one_idea() -> None:
    for path in OURS:
        assert len(FILES[path].body.splitlines()) <= 320, path
