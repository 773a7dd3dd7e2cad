"""GET /v2/account/portfolio/history: what the account was worth, computed when asked.

Nothing is sampled per account: cash and quantities at a time follow from the executions and the
journal, prices from the board's bounded memory of one-minute samples and daily closes.
"""
