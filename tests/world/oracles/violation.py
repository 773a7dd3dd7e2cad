"""What an oracle raises: a promise that was broken, and what was found."""


class Violation(Exception):
    """`oracle` names the promise; the message shows both sides."""

    def __init__(self, oracle: str, message: str) -> None:
        super().__init__(f"{oracle}: {message}")
        self.oracle = oracle
