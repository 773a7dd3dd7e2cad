"""What the broker's activities are: flows, fees, dividends, interest, option events, or unknown.

Flows come from outside and are no result; fees, dividends and interest are. A type that is not
listed here leaves its row unranked: counting it wrongly would be worse.

Source: Alpaca, "Account Activities", list of activity types.
"""

FLOWS = frozenset({"CSD", "CSW", "JNLC", "ACATC", "TRANS", "JNL"})
SECURITIES_FLOWS = frozenset({"JNLS", "ACATS"})
"""Securities moved in or out: their value is not in the activity."""

FEES = frozenset({"FEE", "CFEE", "PTC", "DIVFEE", "ACATF"})
DIVIDENDS = frozenset(
    {
        "DIV", "DIVCGL", "DIVCGS", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "CGD",
    }
)  # fmt: skip
INTEREST = frozenset({"INT", "INTNRA", "INTTW", "INTPNL", "SWP"})
EXPIRY = frozenset({"OPEXP", "OPASN", "OPEXC", "OPCSH"})
"""An option position ends without an execution."""

OPTION_TRADES = frozenset({"OPTRD"})
"""The shares that an assignment or an exercise delivers, at the strike price."""

SPLITS = frozenset({"SPLIT"})
"""The quantity that a split adds to a position, or removes."""

CASH_FOR_SHARES = frozenset({"REORG"})
"""Cash in lieu of a fraction of a share, where it has a price."""

CORPORATE = frozenset({"SPLIT", "SPIN", "REORG", "NC", "MA", "OPCA", "SC", "SSO", "SSP", "PTR"})
"""Quantities change without money: no flow and no result."""

CLASSIFIED = (
    FLOWS | FEES | DIVIDENDS | INTEREST | EXPIRY | OPTION_TRADES | CORPORATE | {"FILL", "FOPT"}
)
