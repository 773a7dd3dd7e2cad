"""Which key belongs to which account.

Keys are deterministic and public, so that a person can type them: `demo-alpha` /
`demo-secret-alpha`.
"""

from collections.abc import Iterable


def key_id_for(label: str) -> str:
    """The key id of an account of the simulator."""
    return f"demo-{label}"


def secret_for(label: str) -> str:
    """The secret that goes with `key_of(label)`."""
    return f"demo-secret-{label}"


class Credentials:
    """The key ring of all accounts."""

    def __init__(self, labels: Iterable[str]) -> None:
        # key id → label
        self._labels = {key_id_for(label): label for label in labels}

    def owner(self, key: str | None) -> str | None:
        """The account a key id names; says nothing about the secret."""
        return self._labels.get(key) if key else None

    def check(self, key: str | None, secret: str | None) -> str | None:
        """The account that key and secret open together, else None."""
        label = self.owner(key)
        return label if label is not None and secret == secret_for(label) else None

    def rotate(self, label: str, key: str) -> None:
        """Give an account another key id and the secret that it had; the old one opens nothing."""
        self._labels = {each: owner for each, owner in self._labels.items() if owner != label}
        self._labels[key] = label
