"""The page of recipes is true: what it asks is asked, what it names is there, its lines run."""

import ast
import asyncio
import csv
import io
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.summary import SummaryDocument
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.store import Store
from tests.api.documents.made import NOW, fleet, order
from tests.api.reader import Clock, Reader, reading

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
DAEMON = "http://127.0.0.1:8090"
ADDRESSES = sorted({each.rstrip("'\"") for each in re.findall(DAEMON + r"(/[^\s'\",)`|]+)", PAGE)})
QUERIES = msgspec.json.decode(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
LIMIT_S = 30.0


def blocks(language: str) -> list[str]:
    """The page's blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no type hints
    """Knows Home Assistant's own tag."""


Loader.add_constructor("!secret", lambda loader, node: loader.construct_scalar(node))
DATA_SOURCE, SENSORS = (yaml.load(text, Loader) for text in blocks("yaml"))


@pytest.fixture
def store() -> Store:
    return fleet()


@pytest.fixture
async def reader(store: Store) -> AsyncIterator[Reader]:
    async with reading(store, Clock()) as reader:
        yield reader


def path_of(url: str) -> str:
    """Where a recipe's address is on any daemon."""
    assert url.startswith(DAEMON + "/")
    return url.removeprefix(DAEMON)


@pytest.mark.parametrize("path", ADDRESSES)
async def test_every_address_of_the_recipes_responds(reader: Reader, path: str) -> None:
    reply = await reader.ask("HEAD", path)
    assert reply.status == (503 if "strict" in path else 200)


@pytest.mark.parametrize("query", QUERIES, ids=[each["refId"] for each in QUERIES])
async def test_grafana_queries_existing_members(reader: Reader, query: Any) -> None:
    reply = await reader.get(path_of(query["url"]))
    if query["type"] == "csv":
        names = next(csv.reader(io.StringIO(reply.body.decode(), newline="")))
    else:
        found = reply.json[query["root_selector"]] if query["root_selector"] else reply.json
        names = list(found[0] if isinstance(found, list) else found)
    assert {column["selector"] for column in query["columns"]} <= set(names)
    assert DATA_SOURCE["datasources"][0]["jsonData"]["allowedHosts"] == [DAEMON]


async def test_home_assistant_reads_existing_members(reader: Reader) -> None:
    (rest,) = SENSORS["rest"]
    document = (await reader.get(path_of(rest["resource"]))).json
    told = [*rest["sensor"], *rest["binary_sensor"]]
    wanted = {name for each in told for name in each.get("json_attributes", [])}
    for each in told:
        wanted.update(re.findall(r"value_json\.(\w+)", each["value_template"]))
    assert {"equity", "day_pl", "stale", "unread"} <= wanted <= set(document)


def test_streamlit_example_runs() -> None:
    (page,) = [text for text in blocks("python") if "streamlit" in text]
    ast.parse(page)
    assert set(re.findall(r"summary\[.(\w+).\]", page)) <= set(SummaryDocument.__struct_fields__)
    shown = re.search(r"shown = (\[.*?\])", page)
    assert shown is not None
    assert set(ast.literal_eval(shown[1])) <= set(AccountRow.__struct_fields__)


@pytest.mark.slow
async def test_pandas_reads_the_csv_without_changing_values(reader: Reader) -> None:
    pytest.importorskip("pandas")
    (lines,) = [text for text in blocks("python") if "pandas" in text]
    told = await run(sys.executable, "-c", at_port(lines, reader))
    assert re.search(r"alpha +100281\.40 +281\.4 +false", told), told


async def test_the_shell_example_prints_fills(store: Store, reader: Reader) -> None:
    need("sh", "curl", "sed", "jq")
    line = next(text for text in blocks("sh") if "/realtime/events" in text)
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", at_port(line, reader), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert shell.stdout is not None
    fill = TradeUpdate(event="fill", order=order(1), qty="30", price="188.40")
    try:
        async with asyncio.timeout(LIMIT_S):
            hearing = asyncio.create_task(shell.stdout.readline())
            while not hearing.done():  # also what came before it listened is not told
                store.update(AccountLabel("alpha"), now=NOW, updates=(fill,))
                await asyncio.wait([hearing], timeout=0.05)
            assert await hearing == b"alpha buy 30 NVDA 188.40\n"
    finally:
        await reader.session.close()
        os.killpg(shell.pid, signal.SIGTERM)  # all of the pipe
        await shell.wait()


async def test_the_shell_example_lists_accounts_that_are_not_synced(reader: Reader) -> None:
    need("sh", "curl", "jq")
    line = next(text for text in blocks("sh") if "/health" in text)
    assert await run("sh", "-c", at_port(line, reader)) == "some accounts are not synced\n"
    line = next(text for text in blocks("sh") if text.startswith("watch"))
    (inner,) = re.findall(r'"(.*)"', line)
    assert "TSLA\t2\t" in await run("sh", "-c", at_port(inner, reader))


def at_port(text: str, reader: Reader) -> str:
    """The same, asked of the test's own daemon."""
    return text.replace(DAEMON, f"http://127.0.0.1:{reader.port}")


def need(*programs: str) -> None:
    """Skip, with a word, where one of these is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


async def run(*words: str) -> str:
    """What a program prints."""
    program = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(LIMIT_S):
        out, _ = await program.communicate()
    return out.decode()
