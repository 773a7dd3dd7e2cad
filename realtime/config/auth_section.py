"""`[auth]`: which tokens are accepted, and the keys that verify them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from realtime.auth.keys import Key, parse_jwks, parse_public_keys, parse_secrets, require_crypto
from realtime.auth.tokens import TokenRules
from realtime.config import toml_file
from realtime.config import validators as values
from realtime.config.file_permissions import check_permissions
from realtime.config.problems import Problem
from realtime.config.settings import AuthSettings
from realtime.errors import ConfigError

SOURCES = ("secret_file", "public_key_file", "jwks_file", "jwks_url")

AUTH: Mapping[str, Callable[[object], object]] = {
    "secret_file": values.text,
    "public_key_file": values.text,
    "jwks_file": values.text,
    "jwks_url": values.jwks_url,
    "audience": values.text,
    "issuer": values.text,
    "leeway_s": values.whole(0, 300),
    "open_ops": values.flag,
    "reads": values.one_of("token", "open"),
}

READERS: Mapping[str, Callable[[bytes], tuple[Key, ...]]] = {
    "secret_file": parse_secrets,
    "public_key_file": parse_public_keys,
    "jwks_file": parse_jwks,
}


class AuthSection(Struct, frozen=True, kw_only=True):
    """The section as it is in the file; exactly one of the four sources is set."""

    secret_file: str | None = None
    public_key_file: str | None = None
    jwks_file: str | None = None
    jwks_url: str | None = None
    audience: str | None = None
    issuer: str | None = None
    leeway_s: int = 30
    open_ops: bool = False
    reads: str = "token"

    @property
    def sources(self) -> list[str]:
        """The sources that are set."""
        return [name for name in SOURCES if getattr(self, name) is not None]


def read_auth(
    section: AuthSection, beside: Path, environ: Mapping[str, str]
) -> tuple[AuthSettings, list[Problem]]:
    """Read the keys. Files are beside the accounts file, or among systemd's credentials."""
    problems: list[Problem] = []
    keys: tuple[Key, ...] = ()
    for source in section.sources:
        if source in READERS:
            keys = _keys(source, getattr(section, source), beside, environ, problems)
    if section.jwks_url is not None:
        try:
            require_crypto()
        except ConfigError as error:
            problems.append(Problem(f"auth.jwks_url {error.message}", error.remedy))
    rules = TokenRules(
        audience=section.audience, issuer=section.issuer, leeway_s=float(section.leeway_s)
    )
    settings = AuthSettings(
        rules=rules,
        keys=keys,
        jwks_url=section.jwks_url,
        open_ops=section.open_ops,
        open_reads=section.reads == "open",
    )
    return settings, problems


def _keys(
    source: str, name: str, beside: Path, environ: Mapping[str, str], problems: list[Problem]
) -> tuple[Key, ...]:
    path, is_from_systemd = find_secret_file(name, beside, environ)
    if source == "secret_file" and not is_from_systemd and (problem := check_permissions(path)):
        problems.append(problem)
        return ()
    try:
        return READERS[source](toml_file.read_bytes(path))
    except FileNotFoundError:
        remedy = "openssl rand -hex 32 makes a secret; chmod 600" if "secret" in source else ""
        problems.append(Problem(f"{path} not found (auth.{source})", remedy))
    except toml_file.TomlError as error:
        problems.append(error.problem)
    except ConfigError as error:
        problems.append(Problem(f"{path} {error.message} (auth.{source})", error.remedy))
    return ()


def find_secret_file(name: str, beside: Path, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Return the path of a file of secrets, and whether systemd provides it as a credential."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (path := Path(credentials) / Path(name).name).exists():
        return path, True
    return beside.parent / name, False
