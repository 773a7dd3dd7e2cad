"""Index: symbol → accounts that hold it."""

from collections.abc import Iterable, Mapping

from realtime.core.model import AccountLabel, Symbol


class HolderIndex:
    """Which accounts a price moves."""

    def __init__(self) -> None:
        self._holders: dict[Symbol, set[AccountLabel]] = {}
        self._symbols: dict[AccountLabel, frozenset[Symbol]] = {}

    @property
    def holders(self) -> Mapping[Symbol, set[AccountLabel]]:
        """Accounts by symbol; a symbol that is not held is absent."""
        return self._holders

    def set_symbols(self, label: AccountLabel, symbols: Iterable[Symbol]) -> list[Symbol]:
        """Replace the symbols of an account; none removes it. Return those that none holds now."""
        old, new = self._symbols.get(label, frozenset()), frozenset(symbols)
        unheld = []
        for symbol in old - new:
            holders = self._holders[symbol]
            holders.discard(label)
            if not holders:
                del self._holders[symbol]
                unheld.append(symbol)
        for symbol in new - old:
            self._holders.setdefault(symbol, set()).add(label)
        if new:
            self._symbols[label] = new
        else:
            self._symbols.pop(label, None)
        return unheld
