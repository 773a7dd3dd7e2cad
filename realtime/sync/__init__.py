"""One account's life: connect, authorize, listen, buffer, snapshot, replay, live, back off.

`follower.py` is the life itself, `link.py` what the world is told of the connection, `replica.py`
the way of news and readings into the store, `money.py` and `doubts.py` the two reasons to read
again while events flow.
"""
