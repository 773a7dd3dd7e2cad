"""`.env` beside the accounts file: variables for a program that was started without them.

A variable of the environment wins over the file. The file may hold keys, so it is refused if other
users may read it, as `secrets.toml` is.
"""

import io
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from msgspec import Struct

from realtime.config import toml_file
from realtime.config.file_permissions import check_permissions
from realtime.config.problems import Problem

FILE_NAME = ".env"


class EnvFile(Struct, frozen=True, kw_only=True):
    """The file's variables; empty if there is no file, or if it cannot be used."""

    path: Path
    variables: Mapping[str, str] = {}
    problems: tuple[Problem, ...] = ()

    def merge(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment with the file's variables where it has none, or an empty one."""
        given = {name: value for name, value in environ.items() if value}
        return {**environ, **self.variables, **given}

    def used(self, environ: Mapping[str, str]) -> list[str]:
        """Return the names that are taken from the file."""
        return sorted(name for name in self.variables if not environ.get(name))

    def provides(self, name: str, environ: Mapping[str, str]) -> bool:
        """Whether a variable is taken from the file."""
        return name in self.variables and not environ.get(name)


def read_env_file(accounts_file: Path) -> EnvFile:
    """Read `.env` in the directory of the accounts file, if it exists."""
    path = accounts_file.parent / FILE_NAME
    try:
        if not path.is_file():
            return EnvFile(path=path)
        if problem := check_permissions(path):
            return EnvFile(path=path, problems=(problem,))
        text = toml_file.read_bytes(path).decode("utf-8-sig")
    except OSError as error:
        problem = Problem(f"{path} cannot be read: {error.strerror or error}")
        return EnvFile(path=path, problems=(problem,))
    except UnicodeDecodeError:
        problem = Problem(f"{path}: not UTF-8 text", "save it as UTF-8 in your editor")
        return EnvFile(path=path, problems=(problem,))
    except toml_file.TomlError as error:
        return EnvFile(path=path, problems=(error.problem,))
    # Without interpolation: a `$` in a secret is a `$`.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    variables = {name: value for name, value in values.items() if value}
    return EnvFile(path=path, variables=variables)
