"""`[[webhooks]]` and `[[notify]]`: what they accept, and that no error shows a secret."""

import base64

import pytest

from realtime.auth.webhook_signature import decode_webhook_secret
from realtime.config import load
from realtime.errors import ConfigError
from tests.config.conftest import KEYS, Folder

A = '[accounts.alpha]\ntier = "gold"\n'
KEY = base64.b64encode(b"K3y" * 10).decode()
SECRET = f"whsec_{KEY}"
HOOK = f'[[webhooks]]\nurl = "https://hooks.example/T0PSECRET"\nsecret = "{SECRET}"\n'
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUCwcyKG/0ec10qHzkrSX5Z6vNpQowCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMzAxNjQzNTdaGA8yMTI2MTEwNjE2
NDM1N1owEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABB4wcSzysORWfLpSZ/z6iZTbusP5GDyhBgl+SXbW3wKVd9cmi6nAcTgH46C/
HRc8+pAwcPP6QeL+bshgwubOBSWjUzBRMB0GA1UdDgQWBBSNwAViKbhY4yuJrnGh
TTI0hxsMtjAfBgNVHSMEGDAWgBSNwAViKbhY4yuJrnGhTTI0hxsMtjAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIGR1Z1eUpBT7ikEhdZ2eF/6tkm5Q
LkZVT3lUfB0peMUZAiEAteZUck+K4Z4zVgNxjVOyRtQ5TqkflTr/qaPuyoUP1CQ=
-----END CERTIFICATE-----
"""
SLACK = '[[notify]]\nurl = "slack://T0PSECRETA/T0PSECRETB/T0PSECRETC"\n'


def test_a_webhook_and_its_defaults(folder: Folder) -> None:
    (webhook,) = folder.load(HOOK + A).webhooks
    assert webhook.name == "hooks.example"
    assert webhook.host == "https://hooks.example"
    assert webhook.url.reveal() == "https://hooks.example/T0PSECRET"
    assert [secret.reveal() for secret in webhook.secrets] == [SECRET]
    assert webhook.types == ("order",)
    assert "T0PSECRET" not in repr(webhook)
    assert KEY not in repr(webhook)


def test_everything_that_a_webhook_can_have(folder: Folder) -> None:
    folder.write("hook-secrets", f"{SECRET}\n{SECRET[:-4]}bbbb\n")
    folder.write("hook-url", "http://10.0.0.7:8080/T0PSECRET?key=T0PSECRET\n")
    (webhook,) = folder.load(
        '[[webhooks]]\nname = "desk"\nurl_file = "hook-url"\nsecret_file = "hook-secrets"\n'
        'types = ["order", "alert"]\naccounts = ["alpha"]\ntiers = ["gold"]\n'
        'allow_host = "10.0.0.7"\nmax_attempts = 3\ntimeout_s = 5\n' + A
    ).webhooks
    assert len(webhook.secrets) == 2
    assert webhook.host == "http://10.0.0.7:8080"
    assert (webhook.max_attempts, webhook.timeout_s) == (3, 5)
    assert webhook.types == ("order", "alert")


def test_a_receiver_may_have_an_authority_of_its_own(folder: Folder) -> None:
    folder.write("ca.pem", AUTHORITY)
    (webhook,) = folder.load(HOOK + 'ca_file = "ca.pem"\n' + A).webhooks
    assert webhook.authorities == AUTHORITY
    folder.write("ca.pem", "no certificate")
    text = folder.complaint(HOOK + 'ca_file = "ca.pem"\n' + A)
    assert "webhooks[1].ca_file" in text
    assert "contains no certificate" in text
    assert "BEGIN CERTIFICATE" in text
    assert "not found" in folder.complaint(HOOK + 'ca_file = "none.pem"\n' + A)


def test_a_target_of_notifications(folder: Folder) -> None:
    pytest.importorskip("apprise")
    (target,) = folder.load(
        SLACK + 'types = ["fill", "halt"]\nseverity = "warning"\nquiet = "22:00-07:00"\n'
        'zone = "Europe/Zurich"\nmin_notional = "10000"\n' + A
    ).notify
    assert (target.name, target.scheme) == ("slack", "slack")
    assert target.quiet == (22 * 60, 7 * 60)
    assert "T0PSECRET" not in repr(target)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HOOK + "typs = 1\n", "webhooks[1].typs: unknown key\n  remedy: did you mean `types`?"),
        (HOOK + "types = ['ordr']\n", 'webhooks[1].types: unknown type "ordr"'),
        (HOOK + "types = ['ordr']\n", 'did you mean "order"?'),
        (HOOK + "types = ['fleet']\n", 'unknown type "fleet"'),
        (HOOK + "types = []\n", "webhooks[1].types: expected a list of order"),
        (HOOK + "accounts = ['alpa']\n", 'no such account: "alpa"\n  remedy: did you mean "alpha"'),
        (HOOK + "tiers = ['godl']\n", 'no such tier: "godl"\n  remedy: did you mean "gold"?'),
        (HOOK + "max_attempts = 0\n", "max_attempts: expected 1–1000"),
        (HOOK + HOOK, 'webhooks[2]: another section has the name "hooks.example"'),
        (HOOK.replace("https", "http"), "plain http can be read and changed in transit"),
        (HOOK.replace("https", "ftp"), "expected an address such as https://hooks.example/path"),
        (HOOK.replace("hooks.example", "u:p@hooks.example"), "contains a name or password"),
        (HOOK.replace("hooks.example", "127.0.0.1"), "on this machine or a private network"),
        (HOOK.replace("hooks.example", "[::1]:80"), "on this machine or a private network"),
        (HOOK.replace("hooks.example", "169.254.169.254"), 'set `allow_host = "169.254.169.254"`'),
        (HOOK.replace("hooks.example", "nas.local"), "on this machine or a private network"),
        (HOOK + 'allow_host = "other.example"\n', "its host is not that of allow_host"),
        (HOOK.replace(SECRET, KEY), "the secret does not begin with whsec_"),
        (HOOK.replace(SECRET, "whsec_T0PSECRET"), "the secret"),
        (HOOK.replace(SECRET, SECRET + "*"), "the secret is not base64"),
        (HOOK.replace(SECRET, "whsec_c2hvcnQ="), "the secret has 5 bytes, expected 24–64"),
        ('[[webhooks]]\nurl = "https://a.example"\n', "one of secret, secret_file is expected"),
        (f'[[webhooks]]\nsecret = "{SECRET}"\n', "one of url, url_file is expected"),
        (HOOK + 'secret_file = "x"\n', "one of secret, secret_file is expected"),
        (HOOK.replace("[[webhooks]]", "[webhooks]"), "write [[webhooks]], in two brackets"),
        (HOOK.replace("webhooks", "webhoks"), "did you mean `webhooks`?"),
        ("[history]\nenabled = false\n" + HOOK, "history is off, and undelivered events are kept"),
        ('[[notify]]\nurl = "T0PSECRET"\n', "expected an address of apprise"),
        (SLACK + "types = ['fils']\n", 'did you mean "fill"?'),
        (SLACK + "quiet = '22-7'\n", 'expected times such as "22:00-07:00"'),
        (SLACK + "zone = 'Zurich'\n", "expected a zone such as"),
        (SLACK + "severity = 'bad'\n", "expected info, warning, error"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_a_remedy_and_without_a_secret(
    folder: Folder, content: str, expected: str
) -> None:
    text = folder.complaint(content + A)
    assert expected in text
    assert "T0PSECRET" not in text
    assert KEY not in text


def test_a_file_with_a_secret_must_be_private(folder: Folder) -> None:
    path = folder.write("accounts.toml", HOOK + A, mode=0o644)
    with pytest.raises(ConfigError, match="readable by others") as error:
        load(path, environ=KEYS)
    assert "chmod 600 accounts.toml" in str(error.value)
    assert "secret_file" in str(error.value)


def test_a_file_of_secrets_must_be_private(folder: Folder) -> None:
    folder.write("s", SECRET, mode=0o644)
    text = folder.complaint(
        '[[webhooks]]\nurl = "https://hooks.example/x"\nsecret_file = "s"\n' + A
    )
    assert "is readable by others (mode 644)" in text


def test_a_missing_file_of_secrets_is_named(folder: Folder) -> None:
    text = folder.complaint(
        '[[webhooks]]\nurl = "https://hooks.example/x"\nsecret_file = "none"\n' + A
    )
    assert "webhooks[1].secret_file: none not found" in text


def test_without_the_sections_there_is_nothing(folder: Folder) -> None:
    settings = folder.load(A)
    assert (settings.webhooks, settings.notify) == ((), ())


def test_the_example_of_the_specification_is_decoded() -> None:
    assert decode_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == base64.b64decode(
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
