"""A Secret is used by its value and seen by nobody."""

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from realtime.secret import Credentials, Secret, is_secret

secret = Secret("s3cr3t-of-the-test")


def test_it_prints_as_stars() -> None:
    pair = Credentials(Secret("PKHIDDENID"), secret)
    for said in (repr(secret), f"{secret}", f"{secret!r:>5}", str([secret]), repr(pair)):
        assert "***" in said
        assert "s3cr3t" not in said
        assert "HIDDEN" not in said


def test_it_is_equal_by_value_and_no_string() -> None:
    assert secret == Secret("s3cr3t-of-the-test")
    assert hash(secret) == hash(Secret("s3cr3t-of-the-test"))
    assert secret != Secret("another")
    assert secret != "s3cr3t-of-the-test"
    assert not isinstance(secret, str)
    assert secret.reveal() == "s3cr3t-of-the-test"


@pytest.mark.parametrize("write", [pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode])
def test_it_cannot_be_written_down(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError) as refused:
        write(secret)
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_its_value_is_known_wherever_it_turns_up() -> None:
    assert is_secret("s3cr3t-of-the-test")
    assert not is_secret("never made a Secret")
