"""One API context for each set of visible accounts: an account outside it does not exist."""

from collections import OrderedDict

from realtime.api.context import ApiContext
from realtime.api.documents.documents import Documents
from realtime.auth.principal import Principal
from realtime.store.scoped_store import ScopedStore

MAX_CONTEXTS = 32
"""Sets of accounts that have a context at one time; a further one is built in microseconds."""

MAX_LIST_BYTES = 2 * 1024 * 1024
"""Memory for the lists of one context; documents of one account are shared by all contexts."""


class ContextRegistry:
    """The context of the whole fleet, and those of parts of it."""

    def __init__(self, whole: ApiContext) -> None:
        self.whole = whole
        self._parts: OrderedDict[frozenset[str], ApiContext] = OrderedDict()

    def get(self, principal: Principal) -> ApiContext:
        """The context with the accounts that a principal may see."""
        labels = principal.accounts
        if labels is None:
            return self.whole
        context = self._parts.get(labels)
        if context is None:
            context = self._parts[labels] = self._make_part(labels)
            if len(self._parts) > MAX_CONTEXTS:
                self._parts.popitem(last=False)
        self._parts.move_to_end(labels)
        return context

    def _make_part(self, labels: frozenset[str]) -> ApiContext:
        whole = self.whole
        return ApiContext(
            ScopedStore(whole.store, labels),
            whole.documents,
            clock=whole.clock,
            version=whole.version,
            started_at=whole.started_at,
            broadcaster=whole.broadcaster,
            recorder=whole.recorder,
            loop_monitor=whole.loop_monitor,
            metrics=whole.metrics,
            pages=whole.pages,
            list_documents=Documents(max_bytes=MAX_LIST_BYTES, started_at=whole.started_at),
            labels=labels,
            history=whole.history,
            trading=whole.trading,
            refresh=whole.refresh,
            books=whole.books,
            alerts=whole.alerts,
            read_benchmark=whole.read_benchmark,
            market_rest=whole.market_rest,
            marks=whole.marks,
            market_streams=whole.market_streams,
            route_counts=whole.route_counts,
            cluster=whole.cluster,
        )
