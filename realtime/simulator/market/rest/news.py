"""News articles: invented ones of the past days, and those that tests publish."""

from collections.abc import Callable, Mapping

from realtime.simulator.exchange.timestamps import HOUR
from realtime.simulator.market.elements import Element, Fields, to_rest
from realtime.simulator.market.rest.queries import bad_request, parse_limit, parse_time

_MAX_LIMIT = 50
_DEFAULT_LIMIT = 10
_FIRST_ID = 24_919_000
_TOPICS = (
    ("{} Shares Move As Volume Rises", ("AAPL", "MSFT", "NVDA", "TSLA")),
    ("What Analysts Expect From {} Next Quarter", ("AMZN", "META", "JPM", "DIS")),
    ("{} Announces Conference Dates", ("AMD", "INTC", "KO", "BA")),
)
MAX_ARTICLES = 10_000


class NewsArchive:
    """Articles, oldest first."""

    def __init__(self, now: int) -> None:
        self._articles: list[Fields] = []
        self.listeners: list[Callable[[str, list[Element]], None]] = []
        for number in range(60, 0, -1):
            text, symbols = _TOPICS[number % len(_TOPICS)]
            symbol = symbols[number % len(symbols)]
            self._add(now - number * HOUR, text.format(symbol), [symbol], "")

    def publish(self, at: int, headline: str, symbols: list[str], content: str = "") -> Fields:
        """Add an article and send it on the stream."""
        article = self._add(at, headline, symbols, content)
        fields = {"T": "n", **{k: v for k, v in article.items() if k != "images"}}
        for listener in self.listeners:
            listener("news", [Element(fields)])
        return article

    def page(self, query: Mapping[str, str]) -> Fields:
        """Return the response of GET /v1beta1/news: newest first unless sort is asc."""
        symbols = set(filter(None, query.get("symbols", "").split(",")))
        start, end = parse_time(query, "start"), parse_time(query, "end")
        limit = parse_limit(query, _DEFAULT_LIMIT, _MAX_LIMIT)
        sort = query.get("sort", "").lower() or "desc"
        token = query.get("page_token", "0") or "0"
        if sort not in ("asc", "desc") or not token.isdigit():
            raise bad_request("invalid sort" if token.isdigit() else "invalid page_token")
        with_content = query.get("include_content", "").lower() in ("true", "1")
        contentless = query.get("exclude_contentless", "").lower() not in ("true", "1")
        matching = [
            article
            for article in self._articles
            if (not symbols or symbols & set(article["symbols"]))
            and (start is None or article["created_at"] >= start)
            and (end is None or article["created_at"] <= end)
            and (contentless or article["content"])
        ]
        if sort == "desc":
            matching.reverse()
        offset = int(token)
        shown = [to_rest(article) for article in matching[offset : offset + limit]]
        if not with_content:
            shown = [{**article, "content": ""} for article in shown]
        more = len(matching) > offset + limit
        return {"news": shown, "next_page_token": str(offset + limit) if more else None}

    def _add(self, at: int, headline: str, symbols: list[str], content: str) -> Fields:
        number = _FIRST_ID + len(self._articles)
        article: Fields = {
            "id": number,
            "headline": headline,
            "summary": headline,
            "author": "Simulated Newsdesk",
            "created_at": at,
            "updated_at": at,
            "url": f"https://example.com/news/{number}",
            "content": content,
            "images": [],
            "symbols": symbols,
            "source": "benzinga",
        }
        if len(self._articles) >= MAX_ARTICLES:
            del self._articles[0]
        self._articles.append(article)
        return article
