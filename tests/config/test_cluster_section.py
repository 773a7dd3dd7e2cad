"""`[cluster]`: who connects where, with which secret, and never in clear over a network."""

from pathlib import Path

import pytest

from realtime.config.loader import load_front
from realtime.config.settings import ClusterSettings
from realtime.config.settings_diff import compare
from realtime.errors import ConfigError
from tests.config.conftest import KEYS, ONE, Folder

SECRET = "0123456789abcdef0123456789abcdef"
OWNER = 'member = "beta"\nlisten = "127.0.0.1:8095"\nsecret_file = "cluster.secret"\n'
TLS = 'tls_certificate_file = "mesh.pem"\ntls_key_file = "mesh.key"\n'


@pytest.fixture
def secret(folder: Folder) -> Path:
    return folder.write("cluster.secret", f"{SECRET}\n")


def cluster(folder: Folder, content: str) -> ClusterSettings:
    settings = folder.load(f"[cluster]\n{content}{ONE}").cluster
    assert settings is not None
    return settings


def complaint(folder: Folder, content: str) -> str:
    return folder.complaint(f"[cluster]\n{content}{ONE}")


def test_without_the_section_there_is_no_cluster(folder: Folder) -> None:
    settings = folder.load()
    assert settings.cluster is None
    assert not settings.is_front


@pytest.mark.usefixtures("secret")
def test_an_owner_listens_for_others(folder: Folder) -> None:
    settings = cluster(folder, OWNER)
    assert (settings.fleet, settings.member) == ("main", "beta")
    assert settings.listen == ("127.0.0.1", 8095)
    assert [secret.reveal() for secret in settings.secrets] == [SECRET]


def test_the_first_secret_is_sent_and_each_is_accepted(folder: Folder) -> None:
    folder.write("cluster.secret", f"{SECRET}\n{SECRET[::-1]}\n")
    secrets = cluster(folder, OWNER).secrets
    assert [secret.reveal() for secret in secrets] == [SECRET, SECRET[::-1]]


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    ("listen", "expected"),
    [("[::1]:8095", ("::1", 8095)), ("localhost:1", ("localhost", 1))],
)
def test_an_address_is_a_host_and_a_port(
    folder: Folder, listen: str, expected: tuple[str, int]
) -> None:
    assert cluster(folder, OWNER.replace("127.0.0.1:8095", listen)).listen == expected


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "listen", ["8095", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:8095", "a b:1", ":1"]
)
def test_another_address_is_refused(folder: Folder, listen: str) -> None:
    assert "cluster.listen: expected an address such as" in complaint(
        folder, OWNER.replace("127.0.0.1:8095", listen)
    )


@pytest.mark.usefixtures("secret")
def test_over_a_network_only_with_tls(folder: Folder) -> None:
    wide = OWNER.replace("127.0.0.1", "10.0.0.5")
    assert "refusing to listen on 10.0.0.5 without TLS" in complaint(folder, wide)
    tls = cluster(folder, wide + TLS).tls
    assert tls is not None
    assert tls.key_file == Path("mesh.key")
    half = complaint(folder, OWNER + 'tls_key_file = "mesh.key"\n')
    assert "tls_certificate_file and tls_key_file belong together" in half
    assert "in clear to http://10.0.0.5:8095" in complaint(
        folder, OWNER + 'of = "http://10.0.0.5:8095"\n'
    )
    assert cluster(folder, OWNER + 'of = ["https://10.0.0.5:8095/"]\n').of == (
        "https://10.0.0.5:8095",
    )


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (None, 0o600, "cluster.secret not found (cluster.secret_file)"),
        (SECRET, 0o644, "cluster.secret is readable by others"),
        ("short", 0o600, "holds a secret of 5 bytes"),
        ("é" * 40, 0o600, "not ASCII"),
        ("\t".join([SECRET, SECRET]), 0o600, "not printable"),
    ],
)
def test_an_unusable_secret_is_reported_and_not_shown(
    folder: Folder, content: str | None, mode: int, expected: str
) -> None:
    if content is not None:
        folder.write("cluster.secret", content, mode)
    message = complaint(folder, OWNER)
    assert expected in message
    assert SECRET not in message


def test_every_problem_of_the_section_is_reported_at_once(folder: Folder) -> None:
    message = complaint(folder, "")
    assert "no `member`" in message
    assert "neither `listen` nor `of`" in message
    assert "no `secret_file`" in message


@pytest.mark.usefixtures("secret")
def test_a_front_needs_no_accounts_file(folder: Folder) -> None:
    settings = load_front(
        None,
        environ={},
        of=("http://127.0.0.1:8095",),
        secret_file=folder.root / "cluster.secret",
        port=8096,
    )
    assert settings.is_front
    assert settings.server.port == 8096
    assert settings.cluster is not None
    assert settings.cluster.of == ("http://127.0.0.1:8095",)


@pytest.mark.usefixtures("secret")
def test_a_front_may_use_the_file_of_an_owner_and_needs_none_of_its_keys(folder: Folder) -> None:
    folder.write("accounts.toml", f"[cluster]\n{OWNER}{ONE}[market]\n[history]\n")
    settings = load_front(None, environ={}, of=("http://127.0.0.1:8095",))
    assert settings.accounts == ()
    assert (settings.history, settings.market) == (None, None)
    assert settings.cluster is not None
    assert settings.cluster.listen is None


def test_a_front_without_an_owner_or_a_secret_is_refused(folder: Folder) -> None:
    folder.write("accounts.toml", ONE)
    with pytest.raises(ConfigError) as refused:
        load_front(None, environ={})
    assert "neither `listen` nor `of`" in str(refused.value)
    assert "no `secret_file`" in str(refused.value)


def test_a_changed_section_takes_effect_after_a_restart(folder: Folder, secret: Path) -> None:

    before = folder.load(f"[cluster]\n{OWNER}{ONE}")
    assert compare(before, folder.load(f"[cluster]\n{OWNER}{ONE}", KEYS)).needs_restart == ()
    secret.write_text(SECRET[::-1])
    assert "cluster" in compare(before, folder.load(f"[cluster]\n{OWNER}{ONE}")).needs_restart
