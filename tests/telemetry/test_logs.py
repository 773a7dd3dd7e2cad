"""What a line looks like, for a machine and for a person."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from realtime.errors import ConfigError
from realtime.secret import Secret
from realtime.telemetry import log as logs

NOON = 1_795_262_400.5  # 2026-11-21T12:00:00.500Z


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def configured(stream: io.StringIO, **more: Any) -> Any:
    logs.configure(stream=stream, clock=lambda: NOON, **more)
    return logs.get_logger()


def test_json_has_four_keys_in_front_always() -> None:
    stream = io.StringIO()
    log = configured(stream)
    log.info("daemon.started", accounts=2)
    log.warning("link.lost", code=1006, account="alpha")
    first, second = stream.getvalue().splitlines()
    assert first == (
        '{"timestamp":"2026-11-21T12:00:00.500Z","level":"info","event":"daemon.started",'
        '"account":null,"accounts":2}'
    )
    assert list(json.loads(second)) == ["timestamp", "level", "event", "account", "code"]


def test_a_terminal_gets_sentences() -> None:
    terminal = Terminal()
    log = configured(terminal)
    log.info("link.connected", account="alpha", took_s=0.2)
    log.info("never.heard_of", account="alpha", n=1, nothing=None)
    assert terminal.getvalue() == (
        "12:00:00.500 alpha connected (0.2 s)\n12:00:00.500 alpha never.heard_of n=1\n"
    )


def test_the_account_may_be_bound_once() -> None:
    stream = io.StringIO()
    log = configured(stream)
    with structlog.contextvars.bound_contextvars(account="alpha"):
        log.info("link.connected")
    log.info("daemon.stopped")
    assert [json.loads(line)["account"] for line in stream.getvalue().splitlines()] == [
        "alpha",
        None,
    ]


def test_levels_below_the_chosen_are_silent() -> None:
    stream = io.StringIO()
    log = configured(stream, level="warning")
    log.debug("a.b")
    log.info("a.b")
    log.error("a.c")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["a.c"]


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_no_secret_reaches_a_line(fmt: str) -> None:
    secret = Secret("PKHIDDENHIDDEN")
    stream = io.StringIO()
    log = configured(stream, fmt=fmt)
    try:
        raise ValueError(f"bad key {secret.reveal()}.")
    except ValueError:
        log.exception("a.b", key=secret, text=secret.reveal(), deep={"a": [secret.reveal()]})
    log.info(secret.reveal(), account=secret.reveal(), **{secret.reveal(): 1})
    logging.getLogger("library").warning("sent %s", {"APCA-API-KEY-ID": secret.reveal()})
    assert "REDACTED" not in stream.getvalue()
    assert "ValueError: bad key ***." in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_nothing_handed_to_the_log_can_break_it(fmt: str) -> None:
    stream = io.StringIO()
    log = configured(stream, fmt=fmt)
    endless: list[object] = []
    endless.append(endless)
    log.info("a.b", odd=object(), big=1 << 90, low="\ud800", nan=float("nan"), deep=endless)
    log.info("a.b", timestamp="mine", level="mine", colour="\x1b[31m{not_a_field}")
    assert stream.getvalue().count("\n") == 2
    assert "\x1b" not in stream.getvalue()


def test_what_libraries_say_is_a_line_of_ours() -> None:
    stream = io.StringIO()
    configured(stream)
    configured(stream)  # twice must not double the lines
    logging.getLogger("aiohttp.server").error("broken %s", "pipe")
    logging.getLogger("asyncio").info("too chatty")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["logger"], line["message"]) for line in lines] == [
        ("library.logged", "aiohttp.server", "broken pipe"),
    ]


def test_the_environment_chooses_level_and_form() -> None:
    stream = Terminal()
    environ = {"REALTIME_LOG_LEVEL": "DEBUG", "REALTIME_LOG_FORMAT": "json"}
    logs.configure_from(environ, stream)
    logs.get_logger().debug("a.b")
    assert json.loads(stream.getvalue())["level"] == "debug"


def test_a_librarys_slip_in_its_own_message_is_no_error_of_ours() -> None:
    stream = io.StringIO()
    configured(stream)
    ours = logging.getLogger().handlers[-1]
    ours.handle(logging.LogRecord("lib", logging.ERROR, "x.py", 1, "%d of %d", ("many",), None))
    assert json.loads(stream.getvalue())["message"] == "%d of %d"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("REALTIME_LOG_LEVEL", "expected debug, info, warning, error, got 'loud'"),
        ("REALTIME_LOG_FORMAT", "expected json, text, got 'loud'"),
    ],
)
def test_an_unknown_choice_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        logs.configure_from({name: "loud"})
    assert str(refused.value) == f"{name}: {said}"


def test_json_lines_of_an_account_contain_its_tier() -> None:
    stream = io.StringIO()
    log = configured(stream)
    logs.set_account_tier("alpha", "premium")
    try:
        log.info("link.connected", account="alpha")
        log.info("link.connected", account="bravo")
    finally:
        logs.set_account_tier("alpha", None)
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["tier"], "tier" in second) == ("premium", False)
