"""Every response is as the OpenAPI description promises, for generated requests."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.schemas import OpenApiSchema

from realtime.api.routes import ROUTES
from tests.api.documents.made import fleet

pytestmark = [pytest.mark.api, pytest.mark.timeout(120)]

EXAMPLES = 25
"""Questions of each kind to each path; the suite takes half a minute."""

LABELS = [*fleet().records, None]
"""Accounts that there are, with data and without; `None` leaves what was made up."""

TIMES = ("as_of", "from", "to")
OF_ONE_ACCOUNT = ("/broker/account", "/broker/positions", "/broker/orders")

ASKED = [
    (path, mode)
    for route in ROUTES
    if route.method == "GET" and not route.events  # a stream has no end
    for path in route.paths
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or route.query.__struct_fields__
]


@pytest.fixture(scope="session")
def api(port: int) -> OpenApiSchema:
    """The description as the server gives it."""
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


@pytest.mark.parametrize(
    ("path", "mode"), ASKED, ids=[f"{mode.value}-{path}" for path, mode in ASKED]
)
def test_answers_are_as_described(api: OpenApiSchema, path: str, mode: GenerationMode) -> None:
    """To what the description allows, and to what it forbids."""

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=api[path]["GET"].as_strategy(generation_mode=mode), label=st.sampled_from(LABELS))
    def ask(case: Case[Any], label: str | None) -> None:
        if label and mode is GenerationMode.POSITIVE and "account_id" in case.path_parameters:
            case.path_parameters["account_id"] = label
        if mode is GenerationMode.POSITIVE:
            # What a schema does not state: a time has a format, and five accounts need a name.
            case.query = {n: v for n, v in (case.query or {}).items() if n not in TIMES}
            if path in OF_ONE_ACCOUNT:
                case.query["account_id"] = label or "alpha"
        response = case.call()
        if response.status_code == 414:  # described, but never asked for on purpose
            return
        # 503 is described, too: nothing is known of an account. Other failures are mistakes.
        assert response.status_code < 500 or response.status_code == 503
        case.validate_response(response, excluded_checks=[not_a_server_error])

    ask()
