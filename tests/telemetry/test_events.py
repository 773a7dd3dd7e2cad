"""docs/events.md lists exactly the events that the program logs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.telemetry.log_sentences import TEMPLATES

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "events.md"
EVENT = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "fill")


def logged_in(source: str) -> Iterator[str]:
    """Give the events of one file; where a call names a variable, all that it can be."""
    tree = ast.parse(source)
    assigned = [
        (target.id, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    aliases = {name for name, value in assigned if any(map(_is_log, ast.walk(value)))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_is_log(node.func) or ast.unparse(node.func) in aliases):
            match node.args[0]:
                case ast.Constant(value=str(event)):
                    yield event
                case ast.Name(id=name):
                    for value in [value for target, value in assigned if target == name]:
                        yield from _words(value)
                case other:
                    raise AssertionError(f"{ast.unparse(other)}: an event is a constant name")


def _is_log(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in LEVELS
        and ast.unparse(node.value).endswith("log")
    )


def _words(value: ast.expr) -> list[str]:
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return [word for word in constants if isinstance(word, str) and EVENT.fullmatch(word)]


LOGGED = {
    event: path.relative_to(REPOSITORY)
    for path in sorted((REPOSITORY / "realtime").rglob("*.py"))
    for event in logged_in(path.read_text())
}
LISTED = set(re.findall(r"^\| `([a-z_.]+)` \|", PAGE.read_text(), re.MULTILINE))


def test_every_logged_event_is_listed() -> None:
    missing = [f"{event} ({path})" for event, path in LOGGED.items() if event not in LISTED]
    assert not missing, f"add to docs/events.md: {', '.join(missing)}"


def test_every_listed_event_is_logged() -> None:
    gone = sorted(LISTED - LOGGED.keys())
    assert not gone, f"docs/events.md lists what nobody logs: {', '.join(gone)}"


def test_every_sentence_is_of_a_listed_event() -> None:
    gone = sorted(TEMPLATES.keys() - LISTED)
    assert not gone, f"log_sentences.py has sentences for unlisted events: {', '.join(gone)}"


@pytest.mark.parametrize("event", LOGGED)
def test_an_event_is_named_noun_dot_past(event: str) -> None:
    assert EVENT.fullmatch(event)


def test_the_reading_of_the_source_can_fail() -> None:
    source = """
say = log.info if x else log.debug
say('f.g')
kind = 'a.b' if x else 'a.c'
log.info(kind)
self._log.error('d.e', x=1)
log(1)
"""
    assert set(logged_in(source)) == {"a.b", "a.c", "d.e", "f.g"}
    with pytest.raises(AssertionError, match="constant name"):
        list(logged_in("log.info(f'a.{b}')"))
