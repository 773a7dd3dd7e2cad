import msgspec
import pytest

from realtime.api.problems import KINDS, Problem, of_status, shown


def test_a_problem_is_a_document_of_rfc_9457_with_code_and_remedy() -> None:
    problem = Problem("unknown_account", "no account", headers={"X": "y"}, members={"more": [1]})
    answer = problem.answer("/realtime/account/x")
    assert answer.status == 404
    assert answer.headers["X"] == "y"
    assert msgspec.json.decode(answer.body) == {
        "type": "urn:realtime:problem:unknown_account",
        "title": "There is no account of this label",
        "status": 404,
        "detail": "no account",
        "code": "unknown_account",
        "remedy": "GET /realtime/accounts lists the labels",
        "instance": "/realtime/account/x",
        "more": [1],
    }


def test_every_kind_has_words_and_a_status_of_an_error() -> None:
    assert all(kind.title and kind.remedy and kind.status >= 400 for kind in KINDS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("x" * 500, "x" * 120 + "…"), ("a\udc80b", "a?b"), ("", "")],
)
def test_a_readers_words_are_repeated_short_and_encodable(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (413, "body_too_large"),
        (417, "expectation_failed"),
        (418, "malformed_request"),
        (504, "failed"),
    ],
)
def test_foreign_errors_find_a_code(status: int, code: str) -> None:
    assert of_status(status, "why").code == code
