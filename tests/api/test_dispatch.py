import pytest
from structlog.testing import capture_logs

from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import NOW, state_of
from tests.api.reader import Reader


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/nix", None),
        ("/realtime/acount/alpha", "/realtime/account/{account_id}"),
        ("/realtime/account", "/realtime/account/{account_id}"),
        ("/realtime/account/alpha/", "/realtime/account/{account_id}"),
        ("/api/v1/realtime/order/alpha", "/realtime/orders/{account_id}"),
        ("/health/", "/health"),
        ("/dashboard/alpha", "/realtime/dashboard/alpha"),
        ("/api/v1/positions/alpha", "/realtime/positions/alpha"),
        ("/api/v2/health", None),
        ("/%00", None),
        ("/" + "x" * 4000, None),
    ],
)
async def test_unknown_route_names_the_nearest(
    reader: Reader, path: str, meant: str | None
) -> None:
    problem = (await reader.get(path)).problem(404, "unknown_route")
    assert problem["remedy"] == (f"did you mean {meant}?" if meant else "GET / lists the routes")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_wrong_method_lists_the_allowed_ones(reader: Reader, method: str) -> None:
    reply = await reader.ask(method, "/realtime/accounts")
    reply.problem(405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET, HEAD"


async def test_internal_error_is_logged_once_and_not_shown(reader: Reader, store: Store) -> None:
    """A state that cannot be rendered: the client sees no reason, the log all of it."""
    broken = state_of(provisional=[object()])  # type: ignore[list-item]
    store.update(AccountLabel("alpha"), now=NOW, state=broken)
    with capture_logs() as logs:
        reply = await reader.get("/realtime/dashboard/alpha")
    problem = reply.problem(500, "failed")
    assert problem["detail"] == "unexpected"
    assert b"Traceback" not in reply.body
    failed = [entry for entry in logs if entry["event"] == "server.failed"]
    assert [(entry["log_level"], entry["path"]) for entry in failed] == [
        ("error", "/realtime/dashboard/alpha")
    ] * 2  # the reader asks everything twice
    assert (await reader.get("/realtime/account/delta")).status == 200


async def test_requests_are_not_logged(reader: Reader) -> None:
    with capture_logs() as logs:
        for path in ("/livez", "/nix", "/realtime/orders/alpha?limit=x"):
            await reader.get(path)
    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
