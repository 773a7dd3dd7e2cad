"""A desk for each set of accounts that readers may know of: what is not there does not exist."""

from collections import OrderedDict

from realtime.api.context import ApiContext
from realtime.api.documents.documents import Documents
from realtime.auth.principal import Principal
from realtime.store.scoped_store import ScopedStore

MAX_DESKS = 32
"""Sets of accounts that have a desk at one time; another one's is made anew, in microseconds."""

LISTS_BYTES = 2 * 1024 * 1024
"""Memory for the lists of one desk; documents of one account are shared by all desks."""


class ContextRegistry:
    """The whole desk, and those of parts."""

    def __init__(self, whole: ApiContext) -> None:
        self.whole = whole
        self._parts: OrderedDict[frozenset[str], ApiContext] = OrderedDict()

    def of(self, principal: Principal) -> ApiContext:
        """The desk that this one may ask at."""
        labels = principal.accounts
        if labels is None:
            return self.whole
        desk = self._parts.get(labels)
        if desk is None:
            desk = self._parts[labels] = self._part(labels)
            if len(self._parts) > MAX_DESKS:
                self._parts.popitem(last=False)
        self._parts.move_to_end(labels)
        return desk

    def _part(self, labels: frozenset[str]) -> ApiContext:
        whole = self.whole
        return ApiContext(
            ScopedStore(whole.store, labels),
            whole.views,
            clock=whole.clock,
            version=whole.version,
            started_at=whole.started_at,
            broadcast=whole.broadcast,
            recorder=whole.recorder,
            loop_monitor=whole.loop_monitor,
            metrics=whole.metrics,
            lists=Documents(max_bytes=LISTS_BYTES),
            only=labels,
        )
