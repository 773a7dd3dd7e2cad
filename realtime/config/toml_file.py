"""Reads a TOML file, or reports in one sentence why not.

The library's messages may quote the file, which may hold keys: they are translated, not passed on.
"""

import re
import tomllib
from pathlib import Path

from realtime.config.problems import Problem

MAX_BYTES = 4 * 1024 * 1024  # 1000 accounts take 200 kB; this only stops /dev/zero

MAX_DOTS = 32
"""Dots between the names of one line, strings aside. No name of ours has more than three parts;
`tomllib` takes quadratic time in their number, minutes for a line of 100 kB."""


# Start of tomllib's message → the most likely mistake.
_LIKELY_MISTAKES = {
    "Illegal character '\\n'": "missing quote",
    "Illegal character '\\r'": "missing quote",
    "Unterminated string": "missing quote",
    "Expected '\"'": "missing quote",
    'Expected "\'"': "missing quote",
    "Invalid value": "text needs quotes, and every key a value",
    "Expected '=' after a key": "missing =",
    "Expected newline": "something follows the value",
    "Cannot overwrite": "a name is used twice",
    "Cannot declare": "a name is used twice",
    "Duplicate inline table key": "a name is used twice",
    "Unclosed": "missing bracket",
    "Expected ']": "missing bracket",
    "Unescaped '\\\\'": "a backslash must be doubled",
    "Invalid date": "no such date",
    "Invalid initial character for a key": "a name with other characters needs quotes",
}


class TomlError(Exception):
    """The file cannot be used, because of `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_bytes(path: Path) -> bytes:
    """Read a file of sensible size. A missing one raises `FileNotFoundError` as it is."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "no"
        remedy = "make it readable for this user"
        raise TomlError(Problem(f"{path} cannot be read: {reason}", remedy)) from error
    if len(content) > MAX_BYTES:
        remedy = "use a file of accounts: 1000 of them take 200 kB"
        raise TomlError(Problem(f"{path} is larger than {MAX_BYTES >> 20} MB", remedy))
    return content


def parse(content: bytes, path: Path) -> dict[str, object]:
    """Return the file's tables."""
    try:
        source = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        remedy = "save it as UTF-8 in your editor"
        raise TomlError(Problem(f"{path}: not UTF-8 text", remedy)) from error
    for number, line in enumerate(source.split("\n"), 1):
        if line.count(".") > MAX_DOTS and _count_dots(line) > MAX_DOTS:
            raise TomlError(Problem(f"{path}, line {number}: not TOML (too many dots)"))
    try:
        return tomllib.loads(source)
    except RecursionError as error:
        raise TomlError(Problem(f"{path}: not TOML (nested too deeply)")) from error
    except ValueError as error:  # TOMLDecodeError is one; an absurdly long number is another
        raise TomlError(_syntax(str(error), source, path)) from error


def _count_dots(line: str) -> int:
    """Return the dots of a line outside of strings and comments, in one pass."""
    dots, quote, is_escaped = 0, "", False
    for character in line:
        if quote:
            is_end = character == quote and not is_escaped
            is_escaped = quote == '"' and character == "\\" and not is_escaped
            quote = "" if is_end else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            break
        else:
            dots += character == "."
    return dots


def _syntax(message: str, source: str, path: Path) -> Problem:
    at = re.search(r"\(at line (\d+), column \d+\)$", message)
    line = int(at[1]) if at else source.rstrip().count("\n") + 1
    likely = next(
        (why for start, why in _LIKELY_MISTAKES.items() if message.startswith(start)), None
    )
    return Problem(f"{path}, line {line}: not TOML" + (f" ({likely})" if likely else ""))
