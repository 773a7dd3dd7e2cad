"""The fleet of daemons as text."""

from collections.abc import Iterator

from realtime.api.documents.cluster import EngineDocument


def format_engine(document: EngineDocument) -> Iterator[str]:
    """Yield the lines of `realtime cluster status`."""
    if document.alone:
        state = "not answering; this daemon goes on alone"
    elif document.reachable:
        state = f"{document.nodes_up}/{document.nodes} nodes answer"
    else:
        state = f"not answering; the lease ended {-document.lease_s:.0f} s ago"
    yield f"etcd      {state}"
    for row in document.members:
        notes = []
        if row.member == document.member:
            notes.append("this daemon")
        if row.draining:
            notes.append("draining")
        if not row.same_accounts:
            notes.append("knows other accounts")
        note = f"  ({', '.join(notes)})" if notes else ""
        yield f"{row.member:<9} {row.accounts} accounts  {row.address or 'no mesh'}{note}"
    if document.unowned:
        yield f"no owner  {document.unowned} accounts"
    if document.moving:
        yield f"moving    {document.moving} accounts"
    if document.cut_off:
        yield "cut off   the streams were released; accounts are read by REST"
