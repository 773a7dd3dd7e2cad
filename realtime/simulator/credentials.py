"""API keys of the simulated accounts.

Keys are deterministic and public, so that they can be typed: `demo-alpha` /
`demo-secret-alpha`.
"""

from collections.abc import Iterable


def key_id_for(label: str) -> str:
    """Return the key id of an account."""
    return f"demo-{label}"


def secret_for(label: str) -> str:
    """Return the secret that belongs to `key_id_for(label)`."""
    return f"demo-secret-{label}"


class Credentials:
    """Key ids of all accounts."""

    def __init__(self, labels: Iterable[str]) -> None:
        # key id → label
        self._labels = {key_id_for(label): label for label in labels}

    def owner(self, key: str | None) -> str | None:
        """Return the account of a key id, without checking the secret."""
        return self._labels.get(key) if key else None

    def check(self, key: str | None, secret: str | None) -> str | None:
        """Return the account of a key id and its secret, else None."""
        label = self.owner(key)
        return label if label is not None and secret == secret_for(label) else None

    def rotate(self, label: str, key: str) -> None:
        """Replace an account's key id; its secret stays, the old key id becomes invalid."""
        self._labels = {each: owner for each, owner in self._labels.items() if owner != label}
        self._labels[key] = label
