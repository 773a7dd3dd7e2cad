"""Read a TOML file, or say in one sentence why not.

The library's own messages may quote what stands in the file, and the file may hold keys: they are
translated, never passed on.
"""

import re
import tomllib
from pathlib import Path

from realtime.config.problems import Problem

LARGEST_BYTES = 16 * 1024 * 1024  # 1000 accounts take 200 kB; this only stops /dev/zero

# What tomllib says (start of its message) → what a person has most likely done.
_LIKELY = {
    "Illegal character '\\n'": "missing quote",
    "Illegal character '\\r'": "missing quote",
    "Unterminated string": "missing quote",
    "Expected '\"'": "missing quote",
    'Expected "\'"': "missing quote",
    "Invalid value": "text wants quotes, and every key a value",
    "Expected '=' after a key": "missing =",
    "Expected newline": "something follows the value",
    "Cannot overwrite": "a name stands twice",
    "Cannot declare": "a name stands twice",
    "Duplicate inline table key": "a name stands twice",
    "Unclosed": "missing bracket",
    "Expected ']": "missing bracket",
    "Unescaped '\\\\'": "a backslash must be doubled",
    "Invalid date": "no such date",
    "Invalid initial character for a key": "a name of other letters wants quotes",
}


class TomlError(Exception):
    """The file cannot be used; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_bytes(path: Path) -> bytes:
    """Read a file of sensible size. A missing one raises `FileNotFoundError` as it is."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "no"
        remedy = "give a TOML file that this user may read"
        raise TomlError(Problem(f"{path} cannot be read: {reason}", remedy)) from error
    if len(content) > LARGEST_BYTES:
        remedy = "give a file of accounts: 1000 of them take 200 kB"
        raise TomlError(Problem(f"{path} is larger than {LARGEST_BYTES >> 20} MB", remedy))
    return content


def parse(content: bytes, path: Path) -> dict[str, object]:
    """Give the file's tables."""
    try:
        source = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        remedy = "save it as UTF-8 in your editor"
        raise TomlError(Problem(f"{path}: not UTF-8 text", remedy)) from error
    try:
        return tomllib.loads(source)
    except RecursionError as error:
        raise TomlError(Problem(f"{path}: not TOML (nested too deeply)")) from error
    except ValueError as error:  # TOMLDecodeError is one; an absurdly long number is another
        raise TomlError(_syntax(str(error), source, path)) from error


def _syntax(said: str, source: str, path: Path) -> Problem:
    at = re.search(r"\(at line (\d+), column \d+\)$", said)
    line = int(at[1]) if at else source.rstrip().count("\n") + 1
    likely = next((why for start, why in _LIKELY.items() if said.startswith(start)), None)
    return Problem(f"{path}, line {line}: not TOML" + (f" ({likely})" if likely else ""))
