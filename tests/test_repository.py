"""What a clone promises before anything is installed: short scripts, pinned versions."""

import ast
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from realtime.api.openapi.llms import DOCS, MAIN_ROUTES, format_llms_text
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.routes import ROUTES

ROOT = Path(__file__).parents[1]
SCRIPTS = [path for path in sorted((ROOT / "scripts").iterdir()) if path.suffix != ".md"]
PINNED = (ROOT / "constraints.txt").read_text().splitlines()


def plain_name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_and_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.name in (ROOT / "scripts" / "README.md").read_text()
    source = script.read_text()
    if source.startswith("#!/bin/sh"):
        assert len(source.splitlines()) <= 30
        subprocess.run(["sh", "-n", str(script)], check=True)


def test_versions_are_pinned_by_name_alone() -> None:
    assert [
        line for line in PINNED if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)
    ] == []
    names = [plain_name(line) for line in PINNED]
    assert names == sorted(set(names))


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    assert {plain_name(line) for line in wanted} <= {plain_name(line) for line in PINNED}


def test_markdown_fits_a_hundred_columns() -> None:
    """Outside tables, code and pictures; a single command may be longer."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "scripts" / "README.md"]
    too_long = []
    for page in pages:
        is_code = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            is_code ^= line.lstrip().startswith("```")
            exempt = (
                is_code or line.lstrip().startswith(("|", "<", "```", "`")) or line[:4] == "    "
            )
            if len(line) > 100 and not exempt:
                too_long.append(f"{page.name}:{number}")
    assert not too_long


def test_llms_text_names_pages_and_routes_that_exist() -> None:
    """`python -c "from realtime.api.openapi.llms import *; print(format_llms_text(), end='')"`
    prints what the file must be."""
    assert (ROOT / "llms.txt").read_text() == format_llms_text()
    assert [file for file, _ in DOCS if not (ROOT / file).exists()] == []
    routes = {
        f"{route.method} {path}" for route in (*ROUTES, *ORDER_ROUTES) for path in route.paths
    }
    assert {path for path, _ in MAIN_ROUTES} <= routes


GATED = ("api", "compat", "browser")
"""Extras whose test folders are not collected without them."""

MODULES = {"alpaca-py": "alpaca", "psycopg[binary]": "psycopg", "python-dotenv": "dotenv"}
"""Requirement → its module, where their names differ."""


def test_default_tests_are_collected_without_other_extras() -> None:
    """A test file that imports another extra at its top would fail `scripts/test`."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    default = {plain_name(line) for name in ("dev", "top") for line in extras[name]}
    others = {
        MODULES.get(plain_name(line), plain_name(line).partition("[")[0])
        for name, lines in extras.items()
        if name not in ("dev", "top", *GATED)
        for line in lines
        if plain_name(line) not in default
    }
    others |= {"cryptography"}  # which PyJWT's extra brings
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.relative_to(ROOT / "tests").parts[0] in ("conformance", "compat", "browser"):
            continue
        for node in ast.parse(path.read_text()).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            wrong += [f"{path}: {n}" for n in names if n.partition(".")[0] in others]
    assert not wrong
