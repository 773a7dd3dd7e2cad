"""The page's files: who gets them, under which policy, and that all that is asked for is there."""

import posixpath
import re

import pytest

from realtime.api.routes import wants_page
from realtime.web.files import FILES, HERE, POLICY
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
def test_who_is_shown_the_page(accept: str | None, is_page: bool) -> None:
    assert wants_page(accept) == is_page


async def test_browsers_get_the_page_and_programs_the_routes(reader: Reader) -> None:
    page = await reader.get("/", Accept=BROWSER)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Vary"] == "Accept"
    assert page.body.decode() == HTML
    assert (await reader.get("/", Accept="*/*")).json["name"] == "realtime"
    assert (await reader.get("/realtime", Accept=BROWSER)).json["name"] == "realtime"


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
async def test_nothing_else_is(reader: Reader, path: str) -> None:
    assert (await reader.get(f"/page/{path}")).status == 404


def test_the_policy_lets_nothing_inline_run() -> None:
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    for page in PAGES:
        assert not re.search(r"<style|style=|\son\w+=|javascript:", page)
        assert all(body == "" for body in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S))


def asked_by(path: str) -> list[str]:
    """The files that a page or a script names."""
    text = FILES[path].body.decode()
    if path.endswith(".html"):
        return re.findall(r'(?:src|href)="/?page/([^"]+)"', text)
    folder = path.rpartition("/")[0]
    return [posixpath.normpath(f"{folder}/{each}") for each in re.findall(r'from "([^"]+)"', text)]


def test_all_that_is_asked_for_is_there() -> None:
    asked = {each for path in OURS for each in asked_by(path)}
    assert "static/main.js" in asked
    assert asked <= FILES.keys()
    assert {path for path in OURS if path.endswith(".js")} <= asked


def test_what_is_not_ours_stands_with_its_licence() -> None:
    for folder in {path.rpartition("/")[0] for path in FILES if path.startswith("vendor/")}:
        assert re.search(r"-\d+\.\d+", folder)
        assert (HERE / folder / "LICENSE").read_text().startswith("The MIT License")


def test_files_are_about_one_idea() -> None:
    for path in OURS:
        assert len(FILES[path].body.splitlines()) <= 320, path
