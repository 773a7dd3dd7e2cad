"""The REST interface of one stream's asset class and feed, for checks and repairs.

Its requests may use the part of the budget that clients may not (`uses_floor`).
"""

from collections.abc import Mapping

import msgspec

from realtime.errors import LinkError, ProtocolViolation
from realtime.market.rest.reader import DataQuery, RestReader
from realtime.market.stream.channels import StreamPath

REST_PREFIX: Mapping[str, str] = {
    "stocks": "/v2/stocks",
    "crypto": "/v1beta3/crypto/{feed}",
    "options": "/v1beta1/options",
}

_decode = msgspec.json.Decoder(dict[str, object]).decode


class StreamRest:
    """Reads what belongs to one stream."""

    def __init__(self, stream: StreamPath, reader: RestReader) -> None:
        self._stream = stream
        self._reader = reader

    async def read(self, part: str, params: Mapping[str, str]) -> dict[str, object]:
        """Return a response; `part` is the path after that of the asset class, such as `bars`.

        Raises a `LinkError` or `ProtocolViolation`.
        """
        stream = self._stream
        prefix = REST_PREFIX[stream.kind].format(feed=stream.feed)
        feed = {} if stream.kind == "crypto" else {"feed": stream.feed}
        query = DataQuery(f"{prefix}/{part}", tuple({**params, **feed}.items()), "latest")
        answer = await self._reader.fetch(query, uses_floor=True)
        if answer.status != 200:
            raise LinkError(f"{query.path}: {answer.status}", status=answer.status)
        try:
            return _decode(answer.body)
        except msgspec.DecodeError as error:
            raise ProtocolViolation(f"unreadable response to {query.path}") from error
