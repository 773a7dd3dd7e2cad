"""Orders that belong together: bracket, one-cancels-other, one-triggers-other.

Only one leg of an exit pair works at the venue: the take-profit. The stop-loss stays `held` while
the exchange watches its price; touched, it cancels the take-profit and goes to the venue itself.
"""

from realtime.simulator.exchange.accounts import Account
from realtime.simulator.exchange.floor import Floor
from realtime.simulator.exchange.orders import Order


def after_fill(floor: Floor, account: Account, order: Order) -> None:
    """React to a fill of an order that has relatives."""
