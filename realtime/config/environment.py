"""Names of environment variables: `my-acc` reads `ALPACA_MY_ACC_KEY_ID`."""

from collections.abc import Iterable, Mapping

from realtime.config.problems import Problem
from realtime.nearest import nearest

KEY_NAMES = ("key_id", "secret_key")

OTHER_KEY_IDS = ("APCA_API_KEY_ID", "ALPACA_API_KEY", "ALPACA_API_KEY_ID", "ALPACA_KEY_ID")
OTHER_SECRETS = (
    "APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY", "ALPACA_API_SECRET", "ALPACA_API_SECRET_KEY",
)  # fmt: skip
OTHER_URLS = ("APCA_API_BASE_URL", "ALPACA_BASE_URL", "ALPACA_API_BASE_URL")
"""Names that Alpaca's SDKs and examples use: one account per program, which is not enough here."""

QUOTES = "\"'"


def stem(label: str) -> str:
    """Return a label as it is part of variable names: `ALPACA_<this>_KEY_ID`."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in label.upper())


def variable(label: str, key_name: str) -> str:
    """Return the name of the variable that holds a key of an account."""
    return f"ALPACA_{stem(label)}_{key_name.upper()}"


def keys_in_environment(label: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that are set for a label; an empty variable counts as not set."""
    keys = {name: environ.get(variable(label, name), "") for name in KEY_NAMES}
    return {name: value for name, value in keys.items() if value}


def find_unused_variables(
    labels: Iterable[str], used_key_ids: set[str], environ: Mapping[str, str]
) -> list[Problem]:
    """Return variables that no account uses: mostly misspelled, or named as an SDK expects."""
    stems = [stem(label) for label in labels]
    return [
        *_other_names(stems, used_key_ids, environ),
        *_misspelled_names(stems, environ),
    ]


def find_quoted_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Return our variables whose value is in quotes: `docker run --env-file` keeps them."""
    return [
        Problem(
            f"{name} has quotes around its value",
            "remove them: `docker run --env-file` does not, as a shell would",
        )
        for name, value in sorted(environ.items())
        if _is_ours(name) and is_quoted(value)
    ]


def is_quoted(value: str) -> bool:
    """Whether a value starts and ends with the same quote."""
    return len(value) > 1 and value[0] in QUOTES and value[-1] == value[0]


def _is_ours(name: str) -> bool:
    is_key = name.startswith("ALPACA_") and name.endswith(("_KEY_ID", "_SECRET_KEY"))
    return is_key or name.startswith("REALTIME_")


def _other_names(
    stems: list[str], used_key_ids: set[str], environ: Mapping[str, str]
) -> list[Problem]:
    """Variables of Alpaca's SDKs, unless an account has such a name or uses the same key."""
    own = {f"ALPACA_{name}_{key.upper()}" for name in stems for key in KEY_NAMES}
    label = stems[0] if len(stems) == 1 else "<LABEL>"
    key_ids = [name for name in OTHER_KEY_IDS if environ.get(name) and name not in own]
    secrets = [name for name in OTHER_SECRETS if environ.get(name) and name not in own]
    urls = [name for name in OTHER_URLS if environ.get(name)]
    if key_ids and all(environ[name] in used_key_ids for name in key_ids):
        key_ids, secrets = [], []  # set for another program, with a key that is known here
    remedies = (
        (key_ids, f"name it `ALPACA_{label}_KEY_ID` (each account has its own pair)"),
        (secrets, f"name it `ALPACA_{label}_SECRET_KEY` (each account has its own pair)"),
        (urls, "set `paper` or `trading_url` of the account in accounts.toml"),
    )
    return [_unused(names, remedy) for names, remedy in remedies if names]


def _unused(names: list[str], remedy: str) -> Problem:
    return Problem(f"found {', '.join(names)} in the environment but no account uses it", remedy)


def _misspelled_names(stems: list[str], environ: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name in sorted(environ):
        if name in OTHER_KEY_IDS or not (name.startswith("ALPACA_") and name.endswith("_KEY_ID")):
            continue
        label = name[len("ALPACA_") : -len("_KEY_ID")]
        meant = nearest(label, stems)
        if label not in stems and meant:
            fact = f"{name} is set but belongs to no account"
            problems.append(Problem(fact, f"did you mean `ALPACA_{meant}_KEY_ID`?"))
    return problems
