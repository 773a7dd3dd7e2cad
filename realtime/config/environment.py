"""How a label stands in the environment: `my-acc` reads `ALPACA_MY_ACC_KEY_ID`."""

from collections.abc import Iterable, Mapping

from realtime.config.problems import Problem, nearest

KEY_NAMES = ("key_id", "secret_key")


def stem(label: str) -> str:
    """Give the label as it stands in environment names: `ALPACA_<this>_KEY_ID`."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in label.upper())


def variable(label: str, key_name: str) -> str:
    """Give the name of the variable that holds a key of an account."""
    return f"ALPACA_{stem(label)}_{key_name.upper()}"


def keys_given(label: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the keys set for a label; an empty variable counts as not set."""
    found = {name: environ.get(variable(label, name), "") for name in KEY_NAMES}
    return {name: value for name, value in found.items() if value}


def strangers(
    labels: Iterable[str], used_key_ids: set[str], environ: Mapping[str, str]
) -> list[Problem]:
    """Find keys in the environment that no account takes: mostly a name misspelt."""
    found = []
    if environ.get("APCA_API_KEY_ID") and environ["APCA_API_KEY_ID"] not in used_key_ids:
        fact = "found APCA_API_KEY_ID in the environment but no account uses it"
        found.append(Problem(fact, "name it `ALPACA_<LABEL>_KEY_ID` (one pair an account)"))
    stems = {stem(label) for label in labels}
    for name in sorted(environ):
        if not (name.startswith("ALPACA_") and name.endswith("_KEY_ID")):
            continue
        given = name[len("ALPACA_") : -len("_KEY_ID")]
        meant = nearest(given, stems)
        if given not in stems and meant:
            fact = f"{name} is set but belongs to no account"
            found.append(Problem(fact, f"did you mean `ALPACA_{meant}_KEY_ID`?"))
    return found
