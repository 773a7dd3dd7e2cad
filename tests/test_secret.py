"""A Secret is used by its value and never shown."""

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from realtime.secret import Credentials, Secret, is_secret

secret = Secret("s3cr3t-of-the-test")


def test_a_secret_prints_as_stars() -> None:
    pair = Credentials(Secret("PKHIDDENID"), secret)
    for text in (repr(secret), f"{secret}", f"{secret!r:>5}", str([secret]), repr(pair)):
        assert "***" in text
        assert "s3cr3t" not in text
        assert "HIDDEN" not in text


def test_a_secret_is_equal_by_value_and_not_a_string() -> None:
    assert secret == Secret("s3cr3t-of-the-test")
    assert hash(secret) == hash(Secret("s3cr3t-of-the-test"))
    assert secret != Secret("another")
    assert secret != "s3cr3t-of-the-test"
    assert not isinstance(secret, str)
    assert secret.reveal() == "s3cr3t-of-the-test"


@pytest.mark.parametrize("write", [pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode])
def test_a_secret_cannot_be_serialized(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError) as refused:
        write(secret)
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_its_value_is_recognized_anywhere() -> None:
    assert is_secret("s3cr3t-of-the-test")
    assert not is_secret("never made a Secret")
