"""The page's tests ask a server as the tests of `api` do."""

from tests.api.conftest import clock, reader, store

__all__ = ["clock", "reader", "store"]
