import msgspec
import pytest

from realtime.api.problems import PROBLEM_TYPES, Problem, of_status, quote


def test_problem_is_an_rfc_9457_document_with_code_and_remedy() -> None:
    problem = Problem("unknown_account", "no account", headers={"X": "y"}, members={"more": [1]})
    answer = problem.answer("/realtime/account/x")
    assert answer.status == 404
    assert answer.headers["X"] == "y"
    assert msgspec.json.decode(answer.body) == {
        "type": "urn:realtime:problem:unknown_account",
        "title": "Unknown account label",
        "status": 404,
        "detail": "no account",
        "code": "unknown_account",
        "remedy": "GET /realtime/accounts lists the labels",
        "instance": "/realtime/account/x",
        "more": [1],
    }


def test_every_code_has_a_title_a_remedy_and_an_error_status() -> None:
    assert all(kind.title and kind.remedy and kind.status >= 400 for kind in PROBLEM_TYPES.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("x" * 500, "x" * 120 + "…"), ("a\udc80b", "a?b"), ("", "")],
)
def test_client_text_is_repeated_shortened_and_encodable(text: str, expected: str) -> None:
    assert quote(text) == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (413, "body_too_large"),
        (417, "expectation_failed"),
        (418, "malformed_request"),
        (504, "failed"),
    ],
)
def test_every_http_status_has_a_code(status: int, code: str) -> None:
    assert of_status(status, "why").code == code
