"""Whatever a reader asks, the answer is one of ours: never 500, and every error a problem."""

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.api.routes import ROUTES
from tests.api.reader import Reader

PATHS = [path for route in ROUTES if not route.events for path in route.paths]
MEDIA = {"application/json", *(media for route in ROUTES for media in route.media)}
NAMES = sorted({name for route in ROUTES for name in route.query.__struct_fields__})

words = st.one_of(st.text(max_size=20), st.sampled_from(["alpha", "1", "true", "synced", "csv"]))
labels = st.one_of(st.sampled_from(["alpha", "bravo", "charlie"]), words.map(lambda w: w or "x"))
pairs = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), words), words), max_size=4)
raw_queries = st.text(alphabet="&=?;%+,abc1\\/[]{}\"'<>|^~`!$*():@.-_#", max_size=40)
accepts = st.sampled_from([None, "*/*", "text/html", "application/json", "text/html;q=x,,;"])
etags = st.one_of(st.none(), st.text(alphabet='"W/*,b0t-12 ', max_size=20))


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


asked_routes = st.builds(
    lambda prefix, path, label, asked: (
        prefix
        + path.replace("{account_id}", encoded(label))
        + "?"
        + "&".join(f"{encoded(name)}={encoded(value)}" for name, value in asked)
    ),
    st.sampled_from(["", "/api/v1"]),
    st.sampled_from(PATHS),
    labels,
    pairs,
)
wild = st.builds(
    lambda path, query: "/" + quote(path, safe="/%:@") + "?" + quote(query, safe="&=%+;,/"),
    st.text(max_size=30),
    raw_queries,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(asked_routes, wild), st.sampled_from(["GET", "HEAD", "POST"]), etags, accepts)
async def test_never_500_and_always_a_problem(
    reader: Reader, path: str, method: str, etag: str | None, accept: str | None
) -> None:
    given = {"If_None_Match": etag, "Accept": accept}
    headers = {name: value for name, value in given.items() if value is not None}
    reply = await reader.ask(method, path, **headers)
    assert reply.status in {200, 304, 400, 404, 405, 503}
    if reply.status < 400:
        media = reply.headers.get("Content-Type", "application/json").partition(";")[0]
        assert media in MEDIA
    else:
        assert reply.headers["Content-Type"] == "application/problem+json"
        if method != "HEAD":
            reply.problem(reply.status, reply.json["code"])
