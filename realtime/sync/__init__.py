"""Keeps each account in sync: connect, authorize, listen, buffer, snapshot, replay, apply events.

`supervisor` reconnects for as long as the account is enabled; `session` is one authorized stream
and the tasks beside it (`reconciler`, `balances`, `anomalies`, `watchdog`); `replica` is the only
path into the store; `link_reporter` writes the connection's status.
"""
